"""The dashboard of the measurement: exams, their precision and length, exposure, and what disturbs them.

Input: none. Output: a dashboard. Must not know: files.
"""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from .board import adoptions, board, chosen, increase, lay_out, mean, quantile, rate
from .panels import RED, YELLOW, bars, heatmap, series, stat

ERROR = "adaptive_exam_standard_error"
ITEMS = "adaptive_exam_items"
EVENTS = "adaptive_exam_events_total"
ENDED = "adaptive_exam_ended_total"
HIGHEST = "adaptive_exam_exposure_highest_ratio"
UNUSED = "adaptive_exam_exposure_unused_ratio"
CORRECTION = "adaptive_exam_clock_correction_seconds"
OUTAGE = "adaptive_exam_outage_seconds_total"
REBUILDS = "adaptive_exam_rebuilds_total"
AHEAD = 'reason="ahead"'
ANSWERED = 'kind="answered"'
COMMON, RARE = 'kind=~"started|answered"', 'kind!~"started|answered"'
BY_TIME = 'reason=~"time_limit|expired"'
PRECISE = 'le="0.3"'
# Every replica counts the open exams of all of them.
OPEN = f"max by (namespace, job) ({chosen('adaptive_exam_open_exams')})"


def dashboard() -> Dashboard:
    made = board(
        "measurement",
        "Adaptive exams: exams and quality of measurement",
        "Exams that start, go on and end, how precisely they measure, how evenly items are used, and what disturbed them.",
        "adaptive_exam_open_exams",
    )
    return lay_out(
        made.annotation(adoptions()),
        {
            "Now": overview(),
            "Exams": exams(),
            "Precision and length": precision(),
            "Exposure": exposure(),
            "Time": time(),
            "Disturbances that exams went through": disturbances(),
        },
    )


def overview() -> list:
    return [
        stat("Open exams", "Exams that have started and not ended, of all replicas.", "short", (f"sum({OPEN})", "open")),
        stat(
            "Answers a minute",
            "Answers committed to the log.",
            "short",
            (f"60 * sum({rate(EVENTS, ANSWERED)})", "answers"),
        ),
        stat(
            "Standard error, mean",
            "Mean standard error of the final ability of exams that ended.",
            "short",
            (mean(ERROR), "mean"),
        ),
        stat(
            "Highest exposure",
            "Share of exams in which the most used item was administered, since the process started. The first exams of a process are few: look again after some hundred.",
            "percentunit",
            (f"max({chosen(HIGHEST)})", "highest"),
            (0.8, YELLOW),
        ),
        stat(
            "Clock correction",
            "Seconds added to the clock of the database, because it was set while exams were open.",
            "s",
            (f"max({chosen(CORRECTION)})", "correction"),
            (1, RED),
        ),
        stat(
            "Snapshots ahead of the log",
            "Exams, since the processes started. The database has lost events, which were appended again; or another service uses the same keys of Redis, and the log stood.",
            "short",
            (f"sum({chosen(REBUILDS, AHEAD)}) or 0 * sum({chosen(OUTAGE)})", "exams"),
            (1, RED),
        ),
    ]


def exams() -> list:
    return [
        series(
            "Open exams",
            "Exams that have started and not ended. Every replica counts all of them, so the largest count is shown.",
            "short",
            (OPEN, "{{job}}"),
        ),
        series(
            "Starts and answers",
            "Events per second.",
            "ops",
            (f"sum by (kind) ({rate(EVENTS, COMMON)})", "{{kind}}"),
        ),
        bars(
            "Ended, by reason",
            "Exams that ended since the point before. max_items_reached beside standard_error_threshold shows how often the length ended an exam before its precision was reached.",
            "short",
            (f"sum by (reason) ({increase(ENDED)})", "{{reason}}"),
        ),
        bars(
            "Completed, paused, resumed, extended",
            "Other events since the point before. extended and paused are acts of proctors.",
            "short",
            (f"sum by (kind) ({increase(EVENTS, RARE)})", "{{kind}}"),
            width=12,
        ),
        bars(
            "Repeated submissions",
            "start, same_answer: retries, which count once. conflict: concurrent writes to one exam, of which one wins.",
            "short",
            (f"sum by (outcome) ({increase('adaptive_exam_repeats_total')})", "{{outcome}}"),
            width=12,
        ),
    ]


def precision() -> list:
    buckets = f"sum by (le) ({increase(ERROR + '_bucket')})"
    within = f"sum by (exam_type) ({rate(ERROR + '_bucket', PRECISE)}) / sum by (exam_type) ({rate(ERROR + '_count')})"
    return [
        heatmap(
            "Standard error, distribution",
            "Standard errors of the final ability of exams that ended with an answer.",
            "short",
            (buckets, "{{le}}"),
        ),
        series(
            "Standard error, mean and p90",
            "By exam type. The policy of an exam type demands a standard error, or a number of items.",
            "short",
            (mean(ERROR, "exam_type"), "{{exam_type}} mean"),
            (quantile(0.9, ERROR, "exam_type"), "{{exam_type}} p90"),
            width=12,
        ),
        series(
            "Exams with a standard error of at most 0.3",
            "Share by exam type; 0.3 is the default target of placement exams and an edge of the histogram.",
            "percentunit",
            (within, "{{exam_type}}"),
            soft_max=1,
        ),
        series(
            "Items per exam, mean",
            "Mean number of answers of exams that ended, by exam type.",
            "short",
            (mean(ITEMS, "exam_type"), "{{exam_type}}"),
        ),
        series(
            "Items per exam, p10 to p90",
            "Quantiles of the number of answers of exams that ended.",
            "short",
            (quantile(0.1, ITEMS), "p10"),
            (quantile(0.5, ITEMS), "p50"),
            (quantile(0.9, ITEMS), "p90"),
        ),
    ]


def exposure() -> list:
    return [
        series(
            "Highest exposure of an item",
            "Share of exams in which the most used item of a bank was administered, since each process started. Without an exposure constraint everybody gets the same first item, and it is 100 %.",
            "percentunit",
            (f"max by (bank) ({chosen(HIGHEST)})", "{{bank}}"),
            width=12,
        ),
        series(
            "Unused items",
            "Share of the items of a bank that no exam has administered, since each process started.",
            "percentunit",
            (f"min by (bank) ({chosen(UNUSED)})", "{{bank}}"),
            width=12,
        ),
    ]


def time() -> list:
    return [
        bars(
            "Ended by time",
            "Exams that ended by their time limit, or that closed (expired) since the point before.",
            "short",
            (f"sum by (reason) ({increase(ENDED, BY_TIME)})", "{{reason}}"),
        ),
        series(
            "Clock correction",
            "Seconds added to the clock of the database because it was set. Exams go on by the earlier clock.",
            "s",
            (f"max by (job) ({chosen(CORRECTION)})", "{{job}}"),
            soft_max=1,
        ),
        bars(
            "Outage",
            "Seconds in which no replica reached the database of record, counted when it is back. POST /extend with outage gives exams back what they lost.",
            "s",
            (f"sum by (job) ({increase(OUTAGE)})", "{{job}}"),
        ),
    ]


def disturbances() -> list:
    return [
        bars(
            "Rebuilds from the log, by reason",
            "Exams whose snapshot could not be used. No examinee notices. A few stale ones are normal where replicas share a store. ahead is an alarm: the database has lost events, or another service uses the same keys.",
            "short",
            (f"sum by (reason) ({increase(REBUILDS)})", "{{reason}}"),
            width=12,
        ),
        bars(
            "Snapshots restored",
            "Snapshots of open exams that were put back into a store that had lost them.",
            "short",
            (f"sum by (job) ({increase('adaptive_exam_rewarmed_total')})", "{{job}}"),
            width=12,
        ),
    ]
