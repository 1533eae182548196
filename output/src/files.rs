//! Files that are written whole or not at all.
//!
//! A file is written beside its place, under a name of its own (`.brownout-XXXXXX.tmp`), and renamed into it when all of it
//! is on the disk: who reads it meanwhile, or after a crash, has the old one or the new one. [`write()`], [`Draft`] and
//! [`create`] are for files that a user named: a link is followed, a device or a pipe is written to, and a file keeps its
//! mode. [`write_within`] and [`create_within`] are for files that Brownout names in a folder: there only ordinary files are
//! replaced, so that nothing outside the folder is written, whatever links lie in it.
//!
//! [`probe`] and [`probe_folder`] find out beforehand whether that can be done. Who begins to write into a folder takes away
//! what runs that were killed have left there: such a file is locked as long as the process lives that writes it.

use std::fmt;
use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use tempfile::{Builder, NamedTempFile};

/// How the names of files under way begin and end.
const MARK: (&str, &str) = (".brownout-", ".tmp");
/// Bytes that a probe writes: a full disk has room for a name, but not for these.
const PROBE: [u8; 4096] = [0; 4096];
/// How often a file under way is begun anew if it is taken away meanwhile.
const TRIES: usize = 10;

/// Why a file could not be written.
#[derive(Debug)]
pub enum WriteError {
    /// The file system refused.
    Io {
        /// What was being done: "create the directory".
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// The existing file is not one that Brownout may replace.
    Refused {
        /// What was to be written.
        path: PathBuf,
        /// Why not, and what to do.
        why: &'static str,
    },
    /// The document could not be made.
    Document {
        /// Where it would have gone.
        path: PathBuf,
        /// Why not.
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl WriteError {
    /// Whether it was not written because there is a file already.
    pub fn is_there_already(&self) -> bool {
        matches!(self, WriteError::Io { cause, .. } if cause.kind() == io::ErrorKind::AlreadyExists)
    }
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WriteError::Io { doing, path, cause } => write!(f, "cannot {doing} {}: {cause}", path.display()),
            WriteError::Refused { path, why } => write!(f, "cannot write {}: {why}", path.display()),
            WriteError::Document { path, cause } => write!(f, "cannot make {}: {cause}", path.display()),
        }
    }
}

impl std::error::Error for WriteError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            WriteError::Io { cause, .. } => Some(cause),
            WriteError::Refused { .. } => None,
            WriteError::Document { cause, .. } => Some(cause.as_ref()),
        }
    }
}

fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> WriteError {
    let path = path.to_owned();
    move |cause| WriteError::Io { doing, path, cause }
}

fn refused(path: &Path, why: &'static str) -> WriteError {
    WriteError::Refused { path: path.to_owned(), why }
}

/// Writes a file that a user named, and the folders above it that are missing.
///
/// # Errors
///
/// [`WriteError`], which names the path; then what was there is as it was.
pub fn write(path: &Path, content: &[u8]) -> Result<(), WriteError> {
    let mut draft = Draft::of(path)?;
    draft.write_all(content).map_err(io_error("write", path))?;
    draft.finish()
}

/// Writes a file that a user named and that must not be there yet; missing folders are not made.
///
/// # Errors
///
/// [`WriteError`]; [`is_there_already`](WriteError::is_there_already) says whether anything has that name.
pub fn create(path: &Path, content: &[u8]) -> Result<(), WriteError> {
    if fs::symlink_metadata(path).is_ok() {
        return Err(io_error("write", path)(io::ErrorKind::AlreadyExists.into()));
    }
    put(path, None, content, true, Lasting::Yes)
}

/// Writes a file of Brownout's own into a folder, over an ordinary file if there is one.
///
/// # Errors
///
/// [`WriteError`], also where a link, a folder or a device has the name; then what was there is as it was.
pub fn write_within(folder: &Path, name: &str, content: &[u8]) -> Result<(), WriteError> {
    write_in(folder, name, content, Lasting::Yes)
}

/// As [`write_within`], for files by the hundred that can be made again: whole or not at all for their readers and if
/// the process is killed, but the disk is not waited for, so a power cut may lose them.
///
/// # Errors
///
/// As [`write_within`].
pub fn write_within_soon(folder: &Path, name: &str, content: &[u8]) -> Result<(), WriteError> {
    write_in(folder, name, content, Lasting::Soon)
}

fn write_in(folder: &Path, name: &str, content: &[u8], lasting: Lasting) -> Result<(), WriteError> {
    let path = folder.join(name);
    match fs::symlink_metadata(&path) {
        Ok(about) if about.is_file() => put(&path, Some(&about), content, false, lasting),
        Ok(about) => Err(refused(&path, not_ours(&about))),
        Err(why) if why.kind() == io::ErrorKind::NotFound => put(&path, None, content, false, lasting),
        Err(why) => Err(io_error("write", &path)(why)),
    }
}

fn not_ours(about: &Metadata) -> &'static str {
    if about.is_symlink() {
        "it is a link, and nothing is written through links in this folder; take it away, or name another folder"
    } else {
        "it is not an ordinary file; take it away, or name another folder"
    }
}

/// Writes a file of Brownout's own into a folder, under a name that nothing has yet.
///
/// # Errors
///
/// [`WriteError`]; [`is_there_already`](WriteError::is_there_already) says whether anything has that name.
pub fn create_within(folder: &Path, name: &str, content: &[u8]) -> Result<(), WriteError> {
    create(&folder.join(name), content)
}

/// Makes a folder for files of Brownout's own, unless it is there, and takes away what killed runs have left in it.
///
/// # Errors
///
/// [`WriteError`], which names the folder.
pub fn folder(path: &Path) -> Result<(), WriteError> {
    fs::create_dir_all(path).map_err(io_error("create the directory", path))?;
    sweep(path);
    Ok(())
}

/// Finds out whether [`write()`] could write there, and changes nothing.
///
/// # Errors
///
/// What [`write()`] would say; a disk may still fill up until then.
pub fn probe(path: &Path) -> Result<(), WriteError> {
    match place(path)? {
        Place::Beside(target, there) => {
            if there.is_some() {
                OpenOptions::new().write(true).open(&target).map_err(io_error("write", path))?;
            }
            probe_folder(parent(&target))
        }
        Place::Through => Ok(()),
    }
}

/// Finds out whether files can be written into a folder that is there or can be made, and leaves nothing there.
///
/// # Errors
///
/// [`WriteError`], which names the folder.
pub fn probe_folder(folder: &Path) -> Result<(), WriteError> {
    let mut at = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    loop {
        match fs::metadata(at) {
            Ok(about) if about.is_dir() => break,
            Ok(_) => return Err(refused(folder, "a file is where a folder should be")),
            Err(why) if why.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(at).is_err() => at = parent(at),
            Err(why) => return Err(io_error("write into", folder)(why)),
        }
    }
    let mut file = begin(at).map_err(io_error("write into", folder))?;
    file.write_all(&PROBE).map_err(io_error("write into", folder))
}

/// The folder of a path, "." where it names none.
fn parent(path: &Path) -> &Path {
    path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Whether a file must be on the disk before it takes its place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lasting {
    Yes,
    Soon,
}

/// Where a file that a user named goes.
enum Place {
    /// Beside this path and renamed into it; what exists now, if anything does.
    Beside(PathBuf, Option<Metadata>),
    /// Into an existing device or pipe.
    Through,
}

fn place(path: &Path) -> Result<Place, WriteError> {
    let failed = |why| Err(io_error("write", path)(why));
    match fs::metadata(path) {
        Ok(about) if about.is_dir() => Err(refused(path, "it is a folder")),
        Ok(about) if about.is_file() && !is_descriptor(path) => match fs::canonicalize(path) {
            Ok(target) => Ok(Place::Beside(target, Some(about))),
            Err(why) => failed(why),
        },
        Ok(_) => Ok(Place::Through),
        Err(why) if why.kind() != io::ErrorKind::NotFound => failed(why),
        Err(_) if fs::symlink_metadata(path).is_ok() => {
            Err(refused(path, "it is a link to nothing; name the file itself"))
        }
        Err(_) => Ok(Place::Beside(path.to_path_buf(), None)),
    }
}

/// Whether a path stands for a stream that is open already, whatever that leads to: what it leads to is not replaced.
fn is_descriptor(path: &Path) -> bool {
    let text = path.to_string_lossy();
    ["/dev/stdout", "/dev/stderr"].contains(&&*text)
        || text.starts_with("/dev/fd/")
        || (text.starts_with("/proc/") && text.contains("/fd/"))
}

/// A file that a user named, under way: what is written to it is seen when it is finished, and gone if it is dropped.
pub struct Draft {
    path: PathBuf,
    way: Way,
}

enum Way {
    Beside(NamedTempFile, PathBuf),
    Through(File),
}

impl Draft {
    /// Begins a file, and makes the folders above it that are missing.
    ///
    /// # Errors
    ///
    /// [`WriteError`]: it cannot be written there.
    pub fn of(path: &Path) -> Result<Draft, WriteError> {
        let failed = || io_error("write", path);
        let way = match place(path)? {
            Place::Through => Way::Through(OpenOptions::new().write(true).open(path).map_err(failed())?),
            Place::Beside(target, there) => {
                let dir = parent(&target);
                fs::create_dir_all(dir).map_err(io_error("create the directory", dir))?;
                sweep(dir);
                if there.is_some() {
                    // A file that may not be written is not replaced either.
                    OpenOptions::new().write(true).open(&target).map_err(failed())?;
                }
                let file = begin(dir).map_err(failed())?;
                keep_mode(&file, there.as_ref()).map_err(failed())?;
                Way::Beside(file, target)
            }
        };
        Ok(Draft { path: path.to_owned(), way })
    }

    /// Puts it in its place, whole.
    ///
    /// # Errors
    ///
    /// [`WriteError`]; then what was there is as it was.
    pub fn finish(self) -> Result<(), WriteError> {
        let Draft { path, way } = self;
        match way {
            Way::Through(mut file) => file.flush().map_err(io_error("write", &path)),
            Way::Beside(file, target) => settle(file, &target, false, Lasting::Yes),
        }
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.way {
            Way::Beside(file, _) => file.write(bytes),
            Way::Through(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.way {
            Way::Beside(file, _) => file.flush(),
            Way::Through(file) => file.flush(),
        }
    }
}

/// Writes all of a file beside `target` and puts it in its place; `fresh` if nothing may be there.
fn put(
    target: &Path,
    there: Option<&Metadata>,
    content: &[u8],
    fresh: bool,
    lasting: Lasting,
) -> Result<(), WriteError> {
    let failed = || io_error("write", target);
    let mut file = begin(parent(target)).map_err(failed())?;
    keep_mode(&file, there).map_err(failed())?;
    file.write_all(content).map_err(failed())?;
    settle(file, target, fresh, lasting)
}

fn settle(file: NamedTempFile, target: &Path, fresh: bool, lasting: Lasting) -> Result<(), WriteError> {
    if lasting == Lasting::Yes {
        file.as_file().sync_all().map_err(io_error("write", target))?;
    }
    let put = if fresh { file.persist_noclobber(target) } else { file.persist(target) };
    put.map(drop).map_err(|why| io_error("write", target)(why.error))
}

/// A file under way in a folder, empty and locked.
fn begin(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = Builder::new();
    builder.prefix(MARK.0).suffix(MARK.1);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // Less the umask, as for any file.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    for _ in 0..TRIES {
        let file = builder.tempfile_in(folder)?;
        // Another process may have taken it for one that was left before it could be locked.
        let taken = matches!(file.as_file().try_lock(), Err(TryLockError::WouldBlock)) || !file.path().exists();
        if !taken {
            return Ok(file);
        }
    }
    Err(io::Error::other("another process takes away each file that is begun"))
}

/// Gives a file the mode, and as far as that is allowed the owner, of the one that it is to replace.
#[cfg(unix)]
fn keep_mode(file: &NamedTempFile, there: Option<&Metadata>) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
    let Some(there) = there else { return Ok(()) };
    let file = file.as_file();
    let own = file.metadata()?;
    if (own.uid(), own.gid()) != (there.uid(), there.gid()) {
        // Only root can; for others the file becomes theirs.
        let _ = fchown(file, Some(there.uid()), Some(there.gid()));
    }
    file.set_permissions(fs::Permissions::from_mode(there.mode() & 0o7777))
}

#[cfg(not(unix))]
fn keep_mode(_: &NamedTempFile, _: Option<&Metadata>) -> io::Result<()> {
    Ok(())
}

/// Takes away the files under way in a folder that no process is writing. What cannot be removed does no harm.
fn sweep(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let ours = name.to_str().is_some_and(|name| name.starts_with(MARK.0) && name.ends_with(MARK.1));
        if !ours || !entry.file_type().is_ok_and(|kind| kind.is_file()) {
            continue;
        }
        if let Ok(file) = File::open(entry.path())
            && file.try_lock().is_ok()
        {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(all(test, unix))]
#[path = "files_tests.rs"]
mod tests;
