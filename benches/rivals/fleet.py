"""The fleet on SimPy: scenarios/reference-mmc.toml, as one would write it there."""
import random
import sys

import simpy

SERVERS, WORKERS, GAP, WORK, HOP, TIMEOUT, CHECK_WORK, CHECK_EVERY = 16, 8, 1e-4, 8.96e-3, 5e-4, 1.0, 1e-3, 2.0


def main(calls, seed):
    env, dice = simpy.Environment(), random.Random(seed)
    servers = [simpy.Resource(env, WORKERS) for _ in range(SERVERS)]
    state = {"turn": 0, "answered": 0, "latency": 0.0, "lost": 0}
    done = env.event()

    def at_server(server, work):
        yield env.timeout(HOP)
        with servers[server].request() as worker:
            yield worker
            yield env.timeout(work)
        yield env.timeout(HOP)

    def way():
        yield env.timeout(HOP)
        server = state["turn"] % SERVERS
        state["turn"] += 1
        yield from at_server(server, dice.expovariate(1 / WORK))
        yield env.timeout(HOP)

    def call():
        offered = env.now
        answer = env.process(way())
        yield answer | env.timeout(TIMEOUT)
        state["lost"] += not answer.triggered
        state["latency"] += env.now - offered
        state["answered"] += 1
        if state["answered"] == calls:
            done.succeed()

    def checks(server):
        yield env.timeout(CHECK_EVERY * server / SERVERS)
        while True:
            yield from at_server(server, CHECK_WORK)
            yield env.timeout(CHECK_EVERY)

    def arrivals():
        for _ in range(calls):
            yield env.timeout(dice.expovariate(1 / GAP))
            env.process(call())

    for server in range(SERVERS):
        env.process(checks(server))
    env.process(arrivals())
    env.run(done)
    assert state["lost"] == 0, "a call timed out"
    print(state["answered"], state["latency"] / state["answered"] * 1e3)


main(int(sys.argv[1]), int(sys.argv[2]))
