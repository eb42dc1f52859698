"""The dashboard of Redis: its exporter (redis_exporter) at Redis and Sentinels, and what the service says of its operations.

Input: none. Output: a dashboard. Must not know: files.
"""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from .board import board, chosen, increase, lay_out, marks, quantile, rate
from .panels import RED, YELLOW, YES_AND_NO, bars, series, stat, table

INFO = "redis_instance_info"
MASTER, ANY_ROLE = 'role="master"', 'role!=""'
USED, MOST = "redis_memory_used_bytes", "redis_memory_max_bytes"
PLACE = "namespace, job, instance"
# A pod that is the master now and was not two minutes before, when something was known.
PROMOTED = (
    f"max by ({PLACE}) ({chosen(INFO, MASTER)}) unless max by ({PLACE}) ({chosen(INFO, MASTER)} offset 2m)"
    f" and on (namespace, job) {chosen(INFO, ANY_ROLE)} offset 2m"
)
# What is asked: each target of an exporter. The service has metrics of the store, too, and is none.
ASKED = f"count({chosen('up')} unless on (namespace, job) {chosen('adaptive_exam_build_info')})"


def dashboard() -> Dashboard:
    made = board(
        "redis",
        "Adaptive exams: Redis",
        "The store of snapshots: memory, keys, roles, replication, Sentinels, persistence, and the service's operations on it. Answers are in the database of record.",
        "redis_up|redis_operations_total",
    )
    made = made.annotation(marks("Another master", PROMOTED, "orange"))
    return lay_out(
        made,
        {
            "Now": overview(),
            "Operations of the service": operations(),
            "Memory and keys": memory(),
            "Roles and replication": replication(),
            "Sentinels": sentinels(),
            "Commands and clients": commands(),
            "Persistence": persistence(),
        },
    )


def overview() -> list:
    return [
        stat("Up", "Servers and Sentinels that answer their exporter.", "short", (f"sum({chosen('redis_up')})", "up")),
        stat(
            "Down",
            "Servers and Sentinels that do not answer their exporter, which then may not answer either.",
            "short",
            (f"{ASKED} - (sum({chosen('redis_up')}) or 0 * {ASKED})", "down"),
            (1, RED),
        ),
        stat(
            "Masters",
            "Servers that call themselves the master. There has to be one, and in a cluster one for each shard.",
            "short",
            (f"count({chosen(INFO, MASTER)})", "masters"),
            (2, YELLOW),
        ),
        stat(
            "Replicas linked",
            "Replicas that follow a master.",
            "short",
            (f"sum({chosen('redis_master_link_up')})", "replicas"),
        ),
        stat(
            "Memory, fullest server",
            "Used share of maxmemory. A full Redis refuses writes, and exams go on from the log.",
            "percentunit",
            (f"max({chosen(USED)} / ({chosen(MOST)} > 0))", "used"),
            (0.8, YELLOW),
            (0.95, RED),
        ),
        stat(
            "Quorum",
            "Whether a Sentinel finds enough others to elect a master.",
            "short",
            (f"max({chosen('redis_sentinel_master_ckquorum_status')})", "quorum"),
            words=YES_AND_NO,
        ),
    ]


def operations() -> list:
    return [
        series(
            "Operations",
            "Per second, by operation and outcome. skipped: not attempted, because the breaker was open or the queue full.",
            "ops",
            (f"sum by (operation, outcome) ({rate('redis_operations_total')})", "{{operation}} {{outcome}}"),
        ),
        series(
            "Duration, p99",
            "As the service measures it, with network and queue.",
            "s",
            (quantile(0.99, "redis_operation_seconds", "operation"), "{{operation}}"),
        ),
        series(
            "Problems of the store",
            "As the service sees them, by reason; /state has them in words.",
            "short",
            (f"sum by (reason) ({chosen('adaptive_exam_store_problem')})", "{{reason}}"),
            soft_max=1,
        ),
    ]


def memory() -> list:
    return [
        series(
            "Memory",
            "Used by data, and taken from the system.",
            "bytes",
            (chosen(USED), "{{instance}} used"),
            (chosen("redis_memory_used_rss_bytes"), "{{instance}} resident"),
        ),
        series(
            "Memory, share of maxmemory",
            "Keys are never evicted: at 100 % writes are refused.",
            "percentunit",
            (f"{chosen(USED)} / ({chosen(MOST)} > 0)", "{{instance}}"),
        ),
        series(
            "Keys",
            "Snapshots of open exams, and a marker of a filled store.",
            "short",
            (f"sum by (instance) ({chosen('redis_db_keys')})", "{{instance}}"),
        ),
        bars(
            "Expired and evicted keys",
            "expired: abandoned exams, by their time to live. evicted has to be 0: maxmemory-policy is noeviction.",
            "short",
            (f"sum by (instance) ({increase('redis_expired_keys_total')})", "{{instance}} expired"),
            (f"sum by (instance) ({increase('redis_evicted_keys_total')})", "{{instance}} evicted"),
            width=12,
        ),
        series(
            "Fragmentation",
            "Memory taken from the system for each byte of data. It is high while there is little data.",
            "short",
            (chosen("redis_mem_fragmentation_ratio"), "{{instance}}"),
            width=12,
        ),
    ]


def replication() -> list:
    roles = f"max by ({PLACE}, role, redis_version, maxmemory_policy) ({chosen(INFO, ANY_ROLE)})"
    return [
        table(
            "Roles",
            "What each server says it is.",
            (roles, "{{instance}}"),
            {
                "instance": "Instance",
                "role": "Role",
                "redis_version": "Version",
                "maxmemory_policy": "When memory is full",
            },
        ),
        series(
            "Masters over time",
            "1 for each server that calls itself the master. A change of lines is a failover or a handover.",
            "short",
            (f"max by (instance) ({chosen(INFO, MASTER)})", "{{instance}}"),
            width=12,
        ),
        bars(
            "Failovers",
            "1 for a server that is the master and was not two minutes before.",
            "short",
            (f"count by (instance) ({PROMOTED})", "{{instance}}"),
        ),
        series(
            "Replica link",
            "1 while a replica follows its master.",
            "short",
            (f"min by (instance) ({chosen('redis_master_link_up')})", "{{instance}}"),
        ),
        series(
            "Replicas of each server",
            "Replicas that are connected to it.",
            "short",
            (chosen("redis_connected_slaves"), "{{instance}}"),
        ),
        series(
            "Replica lag",
            "Seconds since a replica has last acknowledged, as its master says.",
            "s",
            (f"max by (slave_ip, slave_port) ({chosen('redis_connected_slave_lag_seconds')})", "{{slave_ip}}:{{slave_port}}"),
            width=12,
        ),
        bars(
            "Full resynchronisations",
            "A replica copies the whole data, because it was away for longer than the backlog holds.",
            "short",
            (f"sum by (instance) ({increase('redis_replica_resyncs_full')})", "{{instance}}"),
            width=12,
        ),
    ]


def sentinels() -> list:
    return [
        series(
            "Sentinels that are well",
            "As each Sentinel sees it, beside the number that it knows.",
            "short",
            (f"max by (instance) ({chosen('redis_sentinel_master_ok_sentinels')})", "{{instance}} well"),
            (f"max by (instance) ({chosen('redis_sentinel_master_sentinels')})", "{{instance}} known"),
        ),
        series(
            "Quorum",
            "1 while a Sentinel finds enough others to elect a master.",
            "short",
            (f"max by (instance) ({chosen('redis_sentinel_master_ckquorum_status')})", "{{instance}}"),
        ),
        series(
            "Master that Sentinels name",
            "Number of Sentinels by the master that they name. More than one line means that they disagree.",
            "short",
            (f"count by (master_name, master_address) ({chosen('redis_sentinel_master_status')})", "{{master_name}} {{master_address}}"),
        ),
    ]


def commands() -> list:
    seconds = rate("redis_commands_duration_seconds_total")
    return [
        series(
            "Commands",
            "Per second, by command.",
            "ops",
            (f"sum by (cmd) ({rate('redis_commands_total')})", "{{cmd}}"),
            width=12,
        ),
        series(
            "Duration of a command, mean",
            "In the server alone, without network.",
            "s",
            (f"sum by (cmd) ({seconds}) / (sum by (cmd) ({rate('redis_commands_total')}) > 0)", "{{cmd}}"),
            width=12,
        ),
        series(
            "Error replies",
            "Per second, by kind. OOM: memory is full. NOREPLICAS: too few replicas. NOPERM of CONFIG is the exporter's own: its user may not read the configuration.",
            "ops",
            (f"sum by (err) ({rate('redis_errors_total')})", "{{err}}"),
        ),
        series(
            "Clients",
            "Connections, and clients that wait in a blocking command.",
            "short",
            (chosen("redis_connected_clients"), "{{instance}}"),
            (f"sum({chosen('redis_blocked_clients')})", "blocked"),
        ),
        bars(
            "Rejected connections",
            "Connections that were refused because maxclients was reached.",
            "short",
            (f"sum by (instance) ({increase('redis_rejected_connections_total')})", "{{instance}}"),
        ),
        series(
            "Network, in",
            "Bytes per second that each server receives.",
            "Bps",
            (rate("redis_net_input_bytes_total"), "{{instance}}"),
            width=12,
        ),
        series(
            "Network, out",
            "Bytes per second that each server sends.",
            "Bps",
            (rate("redis_net_output_bytes_total"), "{{instance}}"),
            width=12,
        ),
    ]


def persistence() -> list:
    return [
        series(
            "Last save and last write",
            "1 while the last background save and the last write of the append-only file were successful.",
            "short",
            (chosen("redis_rdb_last_bgsave_status"), "{{instance}} save"),
            (chosen("redis_aof_last_write_status"), "{{instance}} append-only file"),
        ),
        series(
            "Append-only file",
            "Its size. It is rewritten when it has doubled.",
            "bytes",
            (chosen("redis_aof_current_size_bytes"), "{{instance}}"),
        ),
        series(
            "Changes since the last save",
            "Changes that are not in the RDB file. They are in the append-only file, where there is one.",
            "short",
            (chosen("redis_rdb_changes_since_last_save"), "{{instance}}"),
        ),
    ]
