"""The dashboard of the exam service: requests, the way of an answer into the database, the store, the process.

Input: none. Output: a dashboard. Must not know: files.
"""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from .board import adoptions, board, chosen, lay_out, mean, quantile, rate
from .panels import RED, YELLOW, YES_AND_NO, bars, series, stat, table

REQUESTS = "adaptive_exam_requests_total"
SECONDS = "adaptive_exam_request_seconds"
COMMIT = "adaptive_exam_commit_seconds"
STORE = "redis_operation_seconds"
INFO = "adaptive_exam_build_info"
FAILED = 'status=~"5.."'
ANSWER = 'route="/api/adaptive/answer"'


def dashboard() -> Dashboard:
    made = board(
        "service",
        "Adaptive exams: service",
        "Requests, commits to the database of record, and the snapshot store, as the exam service reports them.",
        INFO,
    )
    return lay_out(
        made.annotation(adoptions()),
        {
            "Now": overview(),
            "Requests": requests(),
            "Latency by route": latency(),
            "Answers into the database of record": commits(),
            "Snapshot store": store(),
            "Process": process(),
        },
    )


def overview() -> list:
    share = f"(sum({rate(REQUESTS, FAILED)}) or 0 * sum({rate(REQUESTS)})) / sum({rate(REQUESTS)})"
    return [
        stat("Pods", "Processes that report metrics.", "short", (f"count({chosen(INFO)})", "pods"), width=3),
        stat(
            "Database",
            "Whether every process reaches the database of record. While it does not, answers are refused.",
            "short",
            (f"min({chosen('adaptive_exam_database_up')})", "up"),
            words=YES_AND_NO,
            width=3,
        ),
        stat(
            "Failed requests",
            "Share of requests that were answered with 5xx. The objective is at most 0.1 %.",
            "percentunit",
            (share, "5xx"),
            (0.001, YELLOW),
            (0.01, RED),
            width=3,
        ),
        stat(
            "Answers, p99",
            "99 % of answers take at most this long. The objective is 0.25 s.",
            "s",
            (quantile(0.99, SECONDS, matchers=(ANSWER,)), "p99"),
            (0.25, YELLOW),
            (1, RED),
            width=3,
        ),
        stat(
            "Writes waiting",
            "Starts and events in the write queues. A value that stays above 0 means that the database is the bottleneck.",
            "short",
            (f"sum({chosen('adaptive_exam_writes_waiting')})", "waiting"),
            (64, YELLOW),
            (512, RED),
            width=3,
        ),
        stat(
            "Store problems",
            "Processes, times masters of the store, that have a problem. Exams go on from the log.",
            "short",
            (f"sum({chosen('adaptive_exam_store_problem')}) or 0 * count({chosen(INFO)})", "problems"),
            (1, YELLOW),
            width=3,
        ),
        stat(
            "Breakers open",
            "Circuit breakers that keep requests away from the store.",
            "short",
            (f"sum({chosen('adaptive_exam_store_breaker_open')})", "open"),
            (1, YELLOW),
            width=3,
        ),
        stat(
            "Settings rejected",
            "Processes that refuse the current Settings and go on with older ones; /state has every fault.",
            "short",
            (f"sum({chosen('adaptive_exam_settings_rejected')})", "rejected"),
            (1, RED),
            width=3,
        ),
    ]


def requests() -> list:
    refused = 'status=~"4.."'
    return [
        series(
            "Request rate",
            "Requests per second by route template.",
            "reqps",
            (f"sum by (route) ({rate(REQUESTS)})", "{{route}}"),
        ),
        bars(
            "Status codes",
            "Requests per second by status and method.",
            "reqps",
            (f"sum by (status, method) ({rate(REQUESTS)})", "{{method}} {{status}}"),
        ),
        series(
            "Requests in flight",
            "Requests that are being served, by process.",
            "short",
            (f"sum by (instance) ({chosen('adaptive_exam_requests_in_flight')})", "{{instance}}"),
        ),
        bars(
            "Failed requests by route",
            "Requests per second that were answered with 5xx. 503 means that the database did not answer or the deadline passed; the same request can be sent again.",
            "reqps",
            (f"sum by (route, status) ({rate(REQUESTS, FAILED)})", "{{status}} {{route}}"),
            width=12,
        ),
        bars(
            "Refused requests by route",
            "Requests per second that were answered with 4xx. 409 is a repetition or a race, 429 the rate limit, 401 a token.",
            "reqps",
            (f"sum by (route, status) ({rate(REQUESTS, refused)})", "{{status}} {{route}}"),
            width=12,
        ),
    ]


def latency() -> list:
    return [
        series(
            f"Latency, {name}",
            f"{share:.0%} of the requests of a route take at most this long.",
            "s",
            (quantile(share, SECONDS, "route"), "{{route}}"),
        )
        for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
    ]


def commits() -> list:
    return [
        series(
            "Commit latency",
            "Time until a start or event is durable in the database of record; its reply is sent after that.",
            "s",
            (quantile(0.5, COMMIT), "p50"),
            (quantile(0.95, COMMIT), "p95"),
            (quantile(0.99, COMMIT), "p99"),
        ),
        series(
            "Commit batch, mean",
            "Starts and events in one transaction. Larger batches mean that more writes arrive while one is flushed.",
            "short",
            (mean("adaptive_exam_commit_batch"), "mean"),
        ),
        series(
            "Events committed",
            "Events per second by kind.",
            "ops",
            (f"sum by (kind) ({rate('adaptive_exam_events_total')})", "{{kind}}"),
        ),
        series(
            "Writes waiting",
            "Starts and events in the write queue of each process.",
            "short",
            (f"sum by (instance) ({chosen('adaptive_exam_writes_waiting')})", "{{instance}}"),
        ),
        series(
            "Database connections",
            "Connections to the database of record, and the most that the processes open. SQLite has one, which is busy with the count of open exams at each scrape.",
            "short",
            (f"sum by (state) ({chosen('adaptive_exam_db_connections')})", "{{state}}"),
            (f"sum({chosen('adaptive_exam_db_connections_max')})", "maximum"),
        ),
        series(
            "Database up",
            "1 while the database of record answers a process within a second.",
            "short",
            (f"min by (instance) ({chosen('adaptive_exam_database_up')})", "{{instance}}"),
        ),
    ]


def store() -> list:
    return [
        series(
            "Store mode",
            "Processes by the store mode that they run: memory, basic, sentinel or cluster.",
            "short",
            (f"sum by (mode) ({chosen('adaptive_exam_store_mode')})", "{{mode}}"),
        ),
        series(
            "Problems of the store",
            "Masters of the store that have a problem, summed over processes, by reason. /state has it in words.",
            "short",
            (f"sum by (reason) ({chosen('adaptive_exam_store_problem')})", "{{reason}}"),
            soft_max=1,
        ),
        series(
            "Circuit breakers open",
            "Breakers of each process: one for each master of the store.",
            "short",
            (f"sum by (instance) ({chosen('adaptive_exam_store_breaker_open')})", "{{instance}}"),
            soft_max=1,
        ),
        series(
            "Store operations",
            "Operations per second by outcome. skipped: not attempted, because the breaker was open or the queue full.",
            "ops",
            (f"sum by (operation, outcome) ({rate('redis_operations_total')})", "{{operation}} {{outcome}}"),
        ),
        series(
            "Store latency, p99",
            "99 % of operations take at most this long. Snapshots saved in one batch have the same duration.",
            "s",
            (quantile(0.99, STORE, "operation"), "{{operation}}"),
        ),
        series(
            "Store latency, mean",
            "Mean duration of an operation.",
            "s",
            (mean(STORE, "operation"), "{{operation}}"),
        ),
    ]


def process() -> list:
    return [
        series(
            "Memory",
            "Resident memory of each process.",
            "bytes",
            (f"sum by (instance) ({chosen('process_resident_memory_bytes')})", "{{instance}}"),
        ),
        series(
            "CPU",
            "Processor seconds per second of each process: 1 is one processor.",
            "short",
            (f"sum by (instance) ({rate('process_cpu_seconds_total')})", "{{instance}}"),
        ),
        series(
            "Open files",
            "File descriptors in use, as a share of the process' limit. Connections are files.",
            "percentunit",
            (f"{chosen('process_open_fds')} / {chosen('process_max_fds')}", "{{instance}}"),
        ),
        table(
            "Versions and Settings",
            "What each process runs. Revisions that stay different mean that a pod has not adopted the Settings.",
            (f"sum by (instance, version, settings_revision) ({chosen(INFO)})", "{{instance}}"),
            {"instance": "Instance", "version": "Version", "settings_revision": "Settings"},
        ),
        series(
            "Uptime",
            "Seconds since each process started.",
            "s",
            (f"time() - {chosen('process_start_time_seconds')}", "{{instance}}"),
            width=12,
        ),
    ]
