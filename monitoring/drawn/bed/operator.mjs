// Stands in for two operators where no cluster is: their metrics with the names and labels of docs/METRICS.md, and counters
// that this program raises by chance. The shapes are plausible and the numbers mean nothing. A test on a real cluster draws
// the operator's own metrics; until then this shows that the panels read these names.
//
// Input: an address and port. Output: /1/metrics and /2/metrics. Must not know: what a dashboard makes of it.

import { createServer } from "node:http";
import { readFileSync, readdirSync } from "node:fs";

const [host, port] = (process.argv[2] ?? "").split(":");
if (!port) {
  console.error("usage: operator.mjs HOST:PORT");
  process.exit(2);
}

const SECONDS = "adaptive_exam_operator_reconcile_seconds";
const EDGES = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const STEPS = ["MasterChosen", "MasterPromoted", "ReplicaRepaired", "HandedOver", "PodReplaced", "RedisTuned", "PasswordsSet"];
const RESOURCES = [
  { namespace: "school", name: "midterm" },
  { namespace: "school", name: "placement" },
];
const CONDITIONS = ["Ready", "ServiceAvailable", "StoreReady", "MonitoringReady"];
const PERIOD = 420; // seconds after which the other operator leads
const started = Date.now() / 1000;

const chance = (share) => Math.random() < share;
const exponential = (mean) => -mean * Math.log(1 - Math.random());

// Counters of steps begin at 0, so that increase() sees the first step.
const noSteps = () => Object.fromEntries(STEPS.flatMap((step) => ["true", "false"].map((done) => [`${step}",done="${done}`, 0])));

function operator(number) {
  return { number, started: started + number * 0.4, reconciles: {}, steps: noSteps(), seconds: [], sum: 0, cpu: 0 };
}
const operators = [operator(1), operator(2)];

const isLeader = (one) => Math.floor((Date.now() / 1000 - started) / PERIOD) % 2 === one.number - 1;
const raise = (counters, key, by = 1) => (counters[key] = (counters[key] ?? 0) + by);

// One second of the operator that leads.
function work(one) {
  one.cpu += isLeader(one) ? 0.01 + Math.random() * 0.01 : 0.001;
  if (!isLeader(one) || !chance(0.7)) return;
  const outcome = chance(0.96) ? "ok" : chance(0.7) ? "Conflict" : "RedisUnreachable";
  raise(one.reconciles, outcome);
  const took = 0.03 + exponential(outcome === "RedisUnreachable" ? 1.5 : 0.12);
  one.seconds.push(took);
  one.sum += took;
  if (chance(0.02)) {
    const step = STEPS[Math.floor(Math.random() * STEPS.length)];
    if (chance(0.15)) raise(one.steps, `${step}",done="false`);
    raise(one.steps, `${step}",done="true`);
  }
}

function conditions() {
  return RESOURCES.flatMap(({ namespace, name }) =>
    CONDITIONS.map((type) => {
      const labels = `namespace="${namespace}",name="${name}",type="${type}",status="True"`;
      return `adaptive_exam_operator_resource_condition{${labels}} 1`;
    }),
  );
}

// What any process reports of itself. These are this program's own figures.
function process_(one) {
  const status = readFileSync("/proc/self/status", "utf8");
  return [
    `process_cpu_seconds_total ${one.cpu.toFixed(3)}`,
    `process_open_fds ${readdirSync("/proc/self/fd").length}`,
    "process_max_fds 1048576",
    `process_resident_memory_bytes ${Number(/VmRSS:\s+(\d+)/.exec(status)[1]) * 1024}`,
    `process_threads ${/Threads:\s+(\d+)/.exec(status)[1]}`,
    `process_start_time_seconds ${one.started.toFixed(2)}`,
  ];
}

function metrics(one) {
  const buckets = [...EDGES, Infinity].map((edge) => {
    const count = one.seconds.filter((took) => took <= edge).length;
    return `${SECONDS}_bucket{le="${edge === Infinity ? "+Inf" : edge}"} ${count}`;
  });
  return [
    `adaptive_exam_operator_leader ${isLeader(one) ? 1 : 0}`,
    ...Object.entries(one.reconciles).map(([key, n]) => `adaptive_exam_operator_reconciles_total{outcome="${key}"} ${n}`),
    ...buckets,
    `${SECONDS}_sum ${one.sum}`,
    `${SECONDS}_count ${one.seconds.length}`,
    ...(isLeader(one) ? conditions() : []),
    ...Object.entries(one.steps).map(([key, n]) => `adaptive_exam_operator_redis_steps_total{step="${key}"} ${n}`),
    ...process_(one),
    "",
  ].join("\n");
}

setInterval(() => operators.forEach(work), 1000);
createServer((request, reply) => {
  const one = operators.find(({ number }) => request.url === `/${number}/metrics`);
  reply.writeHead(one ? 200 : 404, { "content-type": "text/plain; version=0.0.4" });
  reply.end(one ? metrics(one) : "");
}).listen(Number(port), host);
