// Examinees for a picture: they take exams at the service until the program is ended, with what goes wrong in a school:
// repeated requests, concurrent answers, pauses, extensions, exams that time out, abandoned exams, mistakes of a client.
//
// Input: addresses of the exam API. Output: requests. Must not know: who draws them.

const bases = process.argv.slice(2);
if (bases.length === 0) {
  console.error("usage: exams.mjs http://HOST:PORT…");
  process.exit(2);
}

const EXAMINEES = 6;
// Which choice is right, as earlier replies told it. Keys are never in a reply, so this is how an examinee "learns".
const right = new Map();

const sleep = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));
const pick = (list) => list[Math.floor(Math.random() * list.length)];
const chance = (share) => Math.random() < share;

// A normal random number by the sum of uniform ones.
const ability = () => Array.from({ length: 12 }, Math.random).reduce((sum, one) => sum + one, -6);

async function call(path, body, headers = {}) {
  const request = body && {
    method: "POST",
    body: typeof body === "string" ? body : JSON.stringify(body),
    headers: { "content-type": "application/json", ...headers },
  };
  try {
    const reply = await fetch(`${pick(bases)}/api/adaptive${path}`, { ...request, signal: AbortSignal.timeout(15000) });
    return { ...(await reply.json()), status: reply.status };
  } catch {
    return { status: 0 }; // The service or its database is away for a moment, which is part of the picture.
  }
}

// The examinee tries again until an answer is acknowledged, as a good client does.
async function insist(path, body, headers) {
  for (let attempt = 0; attempt < 60; attempt++) {
    const reply = await call(path, body, headers);
    if (reply.status !== 0 && reply.status < 500) return reply;
    await sleep(0.5);
  }
  return { status: 0 };
}

function choose(item, theta) {
  const known = right.get(item.id);
  const others = item.choices.filter((choice) => choice.id !== known);
  return known && chance(1 / (1 + Math.exp(-theta - 0.3))) ? known : pick(others).id;
}

async function exam() {
  const theta = ability();
  const type = pick(["placement", "placement", "quiz", "mock"]);
  const key = { "idempotency-key": crypto.randomUUID() };
  let now = await insist("/start", { exam_type: type }, key);
  if (chance(0.1)) await call("/start", { exam_type: type }, key); // the reply was lost
  const id = now.exam_session_id;

  for (let answered = 0; now.item; answered++) {
    await sleep(0.1 + Math.random() * 0.3);
    const body = { exam_session_id: id, item_id: now.item.id, choice: choose(now.item, theta) };
    // Twice at the same moment: one of them is recorded.
    const [reply] = await Promise.all([insist("/answer", body), ...(chance(0.05) ? [call("/answer", body)] : [])]);
    if (reply.status === 409) {
      now = await insist(`/next?exam_session_id=${id}`);
      continue;
    }
    if (reply.status !== 200) return;
    if (reply.correct) right.set(now.item.id, body.choice);
    if (chance(0.05)) await call("/answer", body); // the reply was lost
    if (chance(0.02)) {
      await call("/pause", { exam_session_id: id });
      await call("/answer", body);
      await sleep(1);
      await call("/resume", { exam_session_id: id });
    }
    if (chance(0.01)) await call("/extend", { exam_session_id: id, seconds: 60 }, { "idempotency-key": crypto.randomUUID() });
    if (chance(0.004)) return; // went home
    if (chance(0.004)) {
      await call("/complete", { exam_session_id: id });
      return;
    }
    if (chance(0.3)) await call(`/status?exam_session_id=${id}`);
    now = reply;
  }
}

async function examinee() {
  for (;;) await exam();
}

// Somebody who is away: the time limit of three seconds ends the exam, which is noticed when they look again.
async function absent() {
  for (;;) {
    const started = await insist("/start", { exam_type: "sprint" });
    await sleep(7);
    await call(`/next?exam_session_id=${started.exam_session_id}`);
    await sleep(13);
  }
}

// A client with faults: broken JSON, unknown fields, unknown exams.
async function faulty() {
  for (;;) {
    await call("/answer", "{");
    await call("/start", { exam_typ: "quiz" });
    await call("/next?exam_session_id=999999999");
    await sleep(2 + Math.random() * 6);
  }
}

await Promise.all([...Array.from({ length: EXAMINEES }, examinee), absent(), faulty()]);
