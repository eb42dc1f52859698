"""The dashboard of the operator: who leads, reconciles, steps at Redis, the process.

Input: none. Output: a dashboard. Must not know: files.
"""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from .board import board, chosen, chosen_everywhere, increase, lay_out, marks, mean, quantile, rate
from .panels import GREEN, RED, YELLOW, bars, heatmap, series, stat, table

LEADER = "adaptive_exam_operator_leader"
RECONCILES = "adaptive_exam_operator_reconciles_total"
SECONDS = "adaptive_exam_operator_reconcile_seconds"
STEPS = "adaptive_exam_operator_redis_steps_total"
CONDITION = "adaptive_exam_operator_resource_condition"
READY = 'type="Ready"'
FAILED = 'outcome!="ok"'
DONE, NOT_DONE = 'done="true"', 'done="false"'
PLACE = "namespace, job, instance"
LEADING = f"max by ({PLACE}) ({chosen(LEADER)}) == 1"
LED = f"max by ({PLACE}) ({chosen(LEADER)} offset 2m) == 1"
KNOWN = f"{chosen(LEADER)} offset 2m"


def dashboard() -> Dashboard:
    made = board(
        "operator",
        "Adaptive exams: operator",
        "Who leads, how reconciles end and how long they take, what was done at Redis, and what the process needs.",
        LEADER,
    )
    made = made.annotation(marks("Another leader", f"({LEADING}) unless ({LED}) and on (namespace, job) {KNOWN}", "purple"))
    return lay_out(
        made,
        {"Now": overview(), "Resources": resources(), "Reconciles": reconciles(), "Steps at Redis": steps(), "Process": process()},
    )


def overview() -> list:
    share = f"(sum({rate(RECONCILES, FAILED)}) or 0 * sum({rate(RECONCILES)})) / sum({rate(RECONCILES)})"
    return [
        stat("Operators", "Operators that report metrics.", "short", (f"count({chosen(LEADER)})", "operators")),
        stat(
            "Leading",
            "Operators that work. It has to be 1 for each installation: 0 for up to 20 s after a crash, never 2.",
            "short",
            (f"sum({chosen(LEADER)})", "leading"),
            (2, RED),
        ),
        stat(
            "Reconciles a minute",
            "Each resource is looked at once a minute, and whenever something changes.",
            "short",
            (f"60 * sum({rate(RECONCILES)})", "reconciles"),
        ),
        stat(
            "Failed reconciles",
            "Share of reconciles that failed. They are tried again.",
            "percentunit",
            (share, "failed"),
            (0.05, YELLOW),
            (0.5, RED),
        ),
        stat("Reconcile, p99", "99 % of reconciles take at most this long.", "s", (quantile(0.99, SECONDS), "p99"), (2, YELLOW), (5, RED)),
        stat(
            "Failed steps",
            "Steps at Redis that failed, since the operators started. A step is tried again while it is due.",
            "short",
            (f"sum({chosen(STEPS, NOT_DONE)}) or 0 * sum({chosen(LEADER)})", "steps"),
            (1, YELLOW),
        ),
    ]


def resources() -> list:
    return [
        series(
            "Resources by Ready",
            "AdaptiveExamDeployments of all namespaces, by the status of their condition Ready.",
            "short",
            (f"count by (status) ({chosen_everywhere(CONDITION, READY)})", "{{status}}"),
            width=12,
            soft_max=1,
            colours={"True": GREEN, "False": RED, "Unknown": "orange"},
        ),
        table(
            "Conditions",
            "What the status of each resource says now. `kubectl describe aed NAME` has the reason and a message.",
            (f"max by (namespace, name, type, status) ({chosen_everywhere(CONDITION)})", "{{namespace}}/{{name}} {{type}}"),
            {"namespace": "Namespace", "name": "Name", "type": "Condition", "status": "Status"},
        ),
    ]


def reconciles() -> list:
    return [
        series(
            "Reconciles",
            "Per second, by outcome: ok, or the reason of the failure.",
            "ops",
            (f"sum by (outcome) ({rate(RECONCILES)})", "{{outcome}}"),
        ),
        bars(
            "Failed reconciles",
            "Since the point before, by reason. Forbidden: a right is missing. NameTaken: an object is somebody else's. Conflict ends by itself.",
            "short",
            (f"sum by (outcome) ({increase(RECONCILES, FAILED)})", "{{outcome}}"),
        ),
        series(
            "Leader",
            "1 for the operator that works.",
            "short",
            (f"max by (instance) ({chosen(LEADER)})", "{{instance}}"),
        ),
        series(
            "Duration of a reconcile",
            "Reads of the cluster, of the service's state and of Redis included.",
            "s",
            (mean(SECONDS), "mean"),
            (quantile(0.5, SECONDS), "p50"),
            (quantile(0.95, SECONDS), "p95"),
            (quantile(0.99, SECONDS), "p99"),
            width=12,
        ),
        heatmap(
            "Duration of a reconcile, distribution",
            "Reconciles since the point before, by their duration.",
            "s",
            (f"sum by (le) ({increase(SECONDS + '_bucket')})", "{{le}}"),
        ),
    ]


def steps() -> list:
    return [
        bars(
            "Steps that were done",
            "MasterChosen, MasterPromoted, HandedOver: another master. ReplicaRepaired: a server was told whom to follow. PodReplaced: a pod was deleted in its turn. RedisTuned, PasswordsSet, CertificateReloaded: set while it runs.",
            "short",
            (f"sum by (step) ({increase(STEPS, DONE)})", "{{step}}"),
            width=12,
        ),
        bars(
            "Steps that failed",
            "The event RedisStepFailed of the resource says why.",
            "short",
            (f"sum by (step) ({increase(STEPS, NOT_DONE)})", "{{step}}"),
            width=12,
        ),
    ]


def process() -> list:
    return [
        series(
            "Memory",
            "Resident memory. It grows with the number of resources.",
            "bytes",
            (f"sum by (instance) ({chosen('process_resident_memory_bytes')})", "{{instance}}"),
        ),
        series(
            "CPU",
            "Processor seconds per second: 1 is one processor.",
            "short",
            (f"sum by (instance) ({rate('process_cpu_seconds_total')})", "{{instance}}"),
        ),
        series(
            "Open files",
            "File descriptors in use. Connections and watches are files.",
            "short",
            (chosen("process_open_fds"), "{{instance}}"),
        ),
        series(
            "Threads",
            "Threads of the process.",
            "short",
            (chosen("process_threads"), "{{instance}}"),
            width=12,
        ),
        series(
            "Uptime",
            "Seconds since the process started. One that starts again and again has ended with a reason in its log.",
            "s",
            (f"time() - {chosen('process_start_time_seconds')}", "{{instance}}"),
            width=12,
        ),
    ]
