//! A headless Chromium, spoken to over the DevTools protocol.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tungstenite::stream::MaybeTlsStream;
use tungstenite::{Message, WebSocket, connect};

/// Names under which a browser may be installed.
const NAMES: [&str; 5] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];

/// The browser to use: `BROWNOUT_BROWSER`, or the first that the path has.
pub fn browser() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("BROWNOUT_BROWSER") {
        return Some(named.into());
    }
    let path = std::env::var_os("PATH")?;
    let places = || std::env::split_paths(&path);
    NAMES.iter().flat_map(|name| places().map(move |dir| dir.join(name))).find(|file| file.is_file())
}

/// A browser with one page. It ends with the value.
pub struct Page {
    child: Child,
    profile: PathBuf,
    socket: WebSocket<MaybeTlsStream<TcpStream>>,
    session: String,
    calls: u64,
    /// Scripts that failed and errors that the browser reported.
    pub errors: Vec<String>,
    /// What was asked of any network, the page itself apart.
    pub requests: Vec<String>,
    loaded: bool,
}

impl Page {
    /// Starts the browser with an empty page.
    pub fn open(browser: &Path, profile: PathBuf) -> Page {
        let mut child = Command::new(browser)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .args(["--hide-scrollbars", "--remote-debugging-port=0"])
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|why| panic!("{} cannot be started: {why}", browser.display()));
        let lines = BufReader::new(child.stderr.take().expect("it was piped")).lines();
        let address =
            lines.map_while(Result::ok).find_map(|line| line.strip_prefix("DevTools listening on ").map(str::to_owned));
        let (socket, _) = connect(address.expect("the browser says where it listens")).expect("it listens");
        if let MaybeTlsStream::Plain(stream) = socket.get_ref() {
            stream.set_read_timeout(Some(Duration::from_secs(120))).expect("a time limit");
        }
        let mut page = Page {
            child,
            profile,
            socket,
            session: String::new(),
            calls: 0,
            errors: Vec::new(),
            requests: Vec::new(),
            loaded: false,
        };
        let target = page.call("Target.createTarget", json!({ "url": "about:blank" }))["targetId"].clone();
        let attached = page.call("Target.attachToTarget", json!({ "targetId": target, "flatten": true }));
        page.session = attached["sessionId"].as_str().expect("a session").to_owned();
        for domain in ["Page", "Runtime", "Log", "Network"] {
            page.call(&format!("{domain}.enable"), json!({}));
        }
        page
    }

    /// Calls a method and waits for its result; events on the way are noted.
    pub fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.calls += 1;
        let id = self.calls;
        let mut message = json!({ "id": id, "method": method, "params": parameters });
        if !self.session.is_empty() {
            message["sessionId"] = self.session.clone().into();
        }
        self.socket.send(Message::text(message.to_string())).expect("the browser listens");
        loop {
            let answer = self.next();
            if answer["id"] == id {
                assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
                return answer["result"].clone();
            }
        }
    }

    fn next(&mut self) -> Value {
        loop {
            let message = self.socket.read().expect("the browser answers within two minutes");
            let Message::Text(text) = message else { continue };
            let value: Value = serde_json::from_str(&text).expect("JSON");
            let parameters = &value["params"];
            match value["method"].as_str() {
                Some("Runtime.exceptionThrown") => self.errors.push(parameters["exceptionDetails"].to_string()),
                Some("Log.entryAdded") if parameters["entry"]["level"] == "error" => {
                    self.errors.push(parameters["entry"].to_string());
                }
                Some("Network.requestWillBeSent") => {
                    self.requests.push(parameters["request"]["url"].as_str().unwrap_or_default().to_owned());
                }
                Some("Page.loadEventFired") => self.loaded = true,
                _ => {}
            }
            return value;
        }
    }

    /// Opens a file and waits until it is loaded.
    pub fn go(&mut self, file: &Path) {
        self.go_to(file, "");
    }

    /// Opens a file anew at a place in it: `#ask?seed=7`.
    pub fn go_to(&mut self, file: &Path, place: &str) {
        let url = format!("file://{}{place}", file.display());
        // By way of an empty page: where only the place in a file changes, nothing is loaded.
        for url in ["about:blank", &url] {
            self.loaded = false;
            self.call("Page.navigate", json!({ "url": url }));
            while !self.loaded {
                self.next();
            }
        }
        let own = format!("file://{}", file.display());
        self.requests.retain(|request| *request != own && request != "about:blank");
    }

    /// Width and height of the window; whether the reader's system is dark.
    pub fn look(&mut self, (width, height): (u32, u32), dark: bool) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.call("Emulation.setDeviceMetricsOverride", metrics);
        let scheme = if dark { "dark" } else { "light" };
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.call("Emulation.setEmulatedMedia", json!({ "media": "", "features": features }));
        self.frames();
    }

    /// Waits until what is on the screen is what the page says: clicks go by the screen.
    fn frames(&mut self) {
        self.eval("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done))).then(() => true)");
    }

    /// What an expression comes to.
    pub fn eval(&mut self, expression: &str) -> Value {
        let asked = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let answer = self.call("Runtime.evaluate", asked);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {}", answer["exceptionDetails"]);
        answer["result"]["value"].clone()
    }

    /// Presses and lets go of a key: "ArrowLeft", "+", "Tab", " ".
    pub fn key(&mut self, key: &str) {
        let text = if key.chars().count() == 1 { key } else { "" };
        let code = match key {
            "Tab" => 9,
            " " => 32,
            _ => 0,
        };
        for kind in ["keyDown", "keyUp"] {
            let mut event = json!({ "type": kind, "key": key, "windowsVirtualKeyCode": code });
            if kind == "keyDown" && !text.is_empty() {
                event["text"] = text.into();
            }
            self.call("Input.dispatchKeyEvent", event);
        }
    }

    /// Moves the pointer, with the button pressed or not.
    pub fn mouse(&mut self, kind: &str, (x, y): (f64, f64)) {
        let pressed = kind != "mouseMoved";
        let button = if pressed { "left" } else { "none" };
        let event = json!({ "type": kind, "x": x, "y": y, "button": button, "clickCount": u8::from(pressed) });
        self.call("Input.dispatchMouseEvent", event);
    }

    /// Clicks the first element that a selector finds.
    pub fn click(&mut self, selector: &str) {
        let (x, y) = self.middle(selector);
        for kind in ["mouseMoved", "mousePressed", "mouseReleased"] {
            self.mouse(kind, (x, y));
        }
    }

    /// The middle of an element, which is brought into view.
    pub fn middle(&mut self, selector: &str) -> (f64, f64) {
        // Until it stands still: the page may yet be scrolling, and clicks go by the screen.
        let place = self.eval(&format!(
            "new Promise(done => {{ const e = document.querySelector({selector:?}); e.scrollIntoView({{ block: 'center', behavior: 'instant' }}); \
             let last = '', still = 0; const look = () => {{ const b = e.getBoundingClientRect(); \
             const now = [b.left + b.width / 2, b.top + b.height / 2]; still = String(now) === last ? still + 1 : 0; last = String(now); \
             if (still > 5) done(now); else requestAnimationFrame(look); }}; look(); }})"
        ));
        (place[0].as_f64().expect("a place"), place[1].as_f64().expect("a place"))
    }

    /// The whole page as PNG.
    pub fn shot(&mut self, file: &Path) {
        let shot = self.call("Page.captureScreenshot", json!({ "format": "png", "captureBeyondViewport": true }));
        std::fs::write(file, decoded(shot["data"].as_str().expect("a picture"))).expect("a picture");
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // The test has said what it had to say; a browser that is already gone changes nothing about it.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}

/// Base64.
fn decoded(text: &str) -> Vec<u8> {
    let value = |c: u8| match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let (mut out, mut bits, mut held) = (Vec::new(), 0_u32, 0);
    for c in text.bytes().filter(|c| *c != b'=') {
        bits = (bits << 6) | u32::from(value(c));
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
        }
    }
    out
}
