#!/usr/bin/env python3
"""Measures what an exam and an answer cost in PostgreSQL, SQLite and Redis: bytes on disk, of WAL and of memory.

Starts a PostgreSQL, a Redis with a replica, a Redis Cluster of three masters and exam-service on loopback, on free ports and in
a temporary folder, takes exams by HTTP, and looks at sizes after chosen numbers of answers. Everything it starts it ends.
Standard library alone; needs PostgreSQL's and Redis' programs. As root, PostgreSQL runs as the user `postgres`.

  docs/book/measure.py --service target/debug/exam-service --exams 3000
"""

import argparse
import asyncio
import json
import os
import pathlib
import random
import shutil
import socket
import subprocess
import tempfile
import time

STAGES = [0, 1, 5, 10, 15, 20]
CONNECTIONS = 16
TABLES = ["exams", "events", "examinees", "banks"]


def free_port():
    """A free port that leaves room for the bus of a Redis Cluster, which is 10000 above."""
    while True:
        with socket.socket() as listener:
            port = random.randrange(20000, 40000)
            try:
                listener.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def wait_for(port, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"nothing listens on {port}")


class Postgres:
    """A PostgreSQL of its own, with the durability that it has by default."""

    def __init__(self, folder, binaries):
        self.binaries, self.port = pathlib.Path(binaries), free_port()
        self.user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        self.folder = folder / "postgres"
        self.folder.mkdir()
        if self.user:
            shutil.chown(self.folder, "postgres", "postgres")
        data = str(self.folder / "data")
        self.run("initdb", "-D", data, "-A", "trust", "-U", "exam", "--locale=C.UTF-8", "-E", "UTF8")
        command = [*self.user, str(self.binaries / "postgres"), "-D", data, "-p", str(self.port), "-k", str(self.folder)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(self.port)
        while not self.is_up():
            time.sleep(0.1)
        self.query("CREATE DATABASE exams", database="postgres")
        self.url = f"postgres://exam@127.0.0.1:{self.port}/exams"

    def run(self, program, *arguments):
        subprocess.run([*self.user, str(self.binaries / program), *arguments], check=True, stdout=subprocess.DEVNULL, cwd="/")

    def is_up(self):
        command = ["psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", "exam", "-d", "postgres", "-c", "SELECT 1"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def query(self, text, database="exams"):
        command = ["psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", "exam", "-d", database, "-tAc", text]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def sizes(self):
        """Bytes of each table with its indexes and TOAST, and of WAL since the cluster was made."""
        self.query("VACUUM")
        sizes = {table: int(self.query(f"SELECT pg_total_relation_size('{table}')")) for table in TABLES}
        return sizes | {"wal": int(self.query("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn"))}

    def end(self):
        self.run("pg_ctl", "-D", str(self.folder / "data"), "-m", "fast", "stop")
        self.process.wait(30)


class Redis:
    """Redis servers: `shape` is `replicated` (one, and a replica) or `cluster` (three masters)."""

    def __init__(self, folder, shape):
        self.shape, self.processes, self.ports, self.folders = shape, [], [], []
        for number in range(2 if shape == "replicated" else 3):
            port, data = free_port(), folder / f"{shape}-{number}"
            data.mkdir()
            options = ["--port", port, "--bind", "127.0.0.1", "--dir", data, "--appendonly", "yes", "--save", "", "--maxmemory-policy", "noeviction"]
            if shape == "cluster":
                options += ["--cluster-enabled", "yes"]
            elif number:
                options += ["--replicaof", f"127.0.0.1 {self.ports[0]}"]
            command = ["redis-server", *map(str, options)]
            self.processes.append(subprocess.Popen(command, stdout=subprocess.DEVNULL))
            self.ports.append(port)
            self.folders.append(data)
            wait_for(port)
        if shape == "cluster":
            hosts = [f"127.0.0.1:{port}" for port in self.ports]
            command = ["redis-cli", "--cluster", "create", *hosts, "--cluster-yes"]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            self.mode, self.url = "cluster", "redis+cluster://" + ",".join(hosts)
        else:
            self.mode, self.url = "basic", f"redis://127.0.0.1:{self.ports[0]}/0"

    def cli(self, port, *arguments):
        command = ["redis-cli", "-p", str(port), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def sizes(self):
        """Bytes of memory of each server, and of the keys of a sample; the append-only file of all."""
        used = [int(self.info(port, "memory")["used_memory"]) for port in self.ports]
        keys = [int(self.cli(port, "DBSIZE")) for port in self.ports]
        sample = []
        for port in self.ports if self.shape == "cluster" else self.ports[:1]:
            names = self.cli(port, "SCAN", "0", "COUNT", "200").split()[1:]
            sample += [int(self.cli(port, "MEMORY", "USAGE", name, "SAMPLES", "0")) for name in names]
        files = sum(file.stat().st_size for folder in self.folders for file in folder.rglob("*") if file.is_file())
        return {"used": used, "keys": keys, "key": sum(sample) / len(sample) if sample else 0.0, "files": files}

    def info(self, port, section):
        pairs = (line.split(":", 1) for line in self.cli(port, "INFO", section).splitlines() if ":" in line)
        return {name: value.strip() for name, value in pairs}

    def end(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(30)


class Service:
    """exam-service with these settings."""

    def __init__(self, folder, program, database, store, policy):
        self.api, ops = free_port(), free_port()
        settings = folder / f"settings-{self.api}.toml"
        settings.write_text(
            f'[api]\nbind = "127.0.0.1:{self.api}"\n[ops]\nbind = "127.0.0.1:{ops}"\n'
            f'[database]\nurl = "{database}"\n{store}\n[exam_types.measured]\nbank = "sample"\n{policy}\n'
        )
        log = (folder / f"service-{self.api}.log").open("w")
        self.process = subprocess.Popen([program, "serve", "--settings", str(settings)], stderr=log, stdout=log)
        wait_for(ops)
        wait_for(self.api)

    def end(self):
        self.process.terminate()
        self.process.wait(60)


class Connection:
    """A connection that is kept alive."""

    async def open(self, port):
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port)
        return self

    async def post(self, path, body):
        text = json.dumps(body).encode()
        head = f"POST /api/adaptive/{path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(text)}\r\n\r\n"
        self.writer.write(head.encode() + text)
        await self.writer.drain()
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = int(next(line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")))
        reply = json.loads(await self.reader.readexactly(length))
        if b" 200 " not in head.split(b"\r\n", 1)[0]:
            raise SystemExit(f"{path} {body}: {reply}")
        return reply


async def each(port, exams, step):
    """Does a step for each exam, over some connections."""
    waiting = iter(exams)

    async def work():
        connection = await Connection().open(port)
        for exam in waiting:
            await step(connection, exam)
        connection.writer.close()

    await asyncio.gather(*(work() for _ in range(CONNECTIONS)))


async def take(port, count, sizes, draw):
    """Takes exams and gives the sizes at each stage, the last of them after the exams have ended."""

    async def start(connection, exam):
        reply = await connection.post("start", {"exam_type": "measured", "student_id": f"student-{exam['n']:07}"})
        exam.update(id=reply["exam_session_id"], item=reply["item"])

    async def answer(connection, exam):
        choice = draw.randrange(1, len(exam["item"]["choices"]) + 1)
        body = {"exam_session_id": exam["id"], "item_id": exam["item"]["id"], "choice": choice, "response_time_ms": draw.randrange(2000, 60000)}
        reply = await connection.post("answer", body)
        exam["item"] = reply.get("item")

    exams = [{"n": number} for number in range(count)]
    found = [("empty", sizes())]
    await each(port, exams, start)
    for answers in range(STAGES[-1] + 1):
        if answers:
            await each(port, exams, answer)
        if answers in STAGES:
            await asyncio.sleep(2)
            found.append((answers, sizes()))
    return found


def per_exam(found, count, of):
    """Bytes for each exam at each stage, above the empty one."""
    base = of(found[0][1])
    return {stage: (of(size) - base) / count for stage, size in found[1:]}


def show(title, found, count, columns):
    print(f"\n{title}, {count} exams, bytes for each exam\n")
    print("| answers | " + " | ".join(columns) + " |\n|" + "---|" * (len(columns) + 1))
    table = {name: per_exam(found, count, of) for name, of in columns.items()}
    for stage in STAGES:
        print(f"| {stage} | " + " | ".join(f"{table[name][stage]:,.0f}" for name in columns) + " |")
    last = STAGES[-1]
    slope = {name: (values[last] - values[0]) / last for name, values in table.items()}
    print("| each answer | " + " | ".join(f"{slope[name]:,.0f}" for name in columns) + " |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--service", default="target/debug/exam-service", help="the program")
    parser.add_argument("--exams", type=int, default=3000, help="exams of 20 answers in each run")
    parser.add_argument("--postgres", default="/usr/lib/postgresql/15/bin", help="folder of PostgreSQL's programs")
    arguments = parser.parse_args()
    # The last answer does not end the exam, so that its snapshot is still there to be measured.
    plain = "max_items = 21\nmin_items = 21"
    bounded = '[exam_types.measured.policy]\nconstraints = { exposure = { method = "restricted", rate = 0.7 } }\nstop = { max_items = 21, min_items = 21 }'
    with tempfile.TemporaryDirectory(prefix="exam-measure-") as name:
        folder, count = pathlib.Path(name), arguments.exams
        folder.chmod(0o755)
        total = {"exams": lambda size: size["exams"], "events": lambda size: size["events"], "examinees": lambda size: size["examinees"]}
        total["all tables"] = lambda size: sum(size[table] for table in TABLES)
        total["WAL"] = lambda size: size["wal"]
        for title, shape, policy in [("PostgreSQL; Redis with a replica", "replicated", plain), ("PostgreSQL, bounded exposure; Redis Cluster", "cluster", bounded)]:
            database, redis = Postgres(folder, arguments.postgres), Redis(folder, shape)
            store = f'[store]\nmode = "{redis.mode}"\nurl = "{redis.url}"'
            service = Service(folder, arguments.service, database.url, store, policy)
            began = time.monotonic()
            try:
                both = lambda: {"database": database.sizes(), "redis": redis.sizes()}
                found = asyncio.run(take(service.api, count, both, random.Random(1)))
                took = time.monotonic() - began
                show(f"{title}: PostgreSQL", [(stage, size["database"]) for stage, size in found], count, total)
                memory = {"MEMORY USAGE of a key": lambda size: size["key"] * count if size["keys"][0] else 0.0}
                if shape == "cluster":
                    memory["used_memory of three masters"] = lambda size: sum(size["used"])
                else:
                    memory["used_memory of the master"] = lambda size: size["used"][0]
                    memory["used_memory of the replica"] = lambda size: size["used"][1]
                memory["append-only files of all"] = lambda size: size["files"]
                show(f"{title}: Redis", [(stage, size["redis"]) for stage, size in found], count, memory)
                print(f"\n{took:.0f} s; empty: {found[0][1]}")
            finally:
                service.end()
                redis.end()
                database.end()
            shutil.rmtree(database.folder)
        file = folder / "exams.db"
        service = Service(folder, arguments.service, f"sqlite:{file}", "", plain)
        try:
            asyncio.run(take(service.api, count, dict, random.Random(1)))
        finally:
            # At its end it writes its log into the file.
            service.end()
        print(f"\nSQLite, {count} exams of {STAGES[-1]} answers: {file.stat().st_size / count:,.0f} bytes for each exam")


if __name__ == "__main__":
    main()
