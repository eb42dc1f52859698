// What the browser keeps: the start and the answers that no one has acknowledged, the open exam, and for this tab the
// token and the result. A finished exam is kept in this tab only, so that the next person at this computer finds nothing.

const START = 'adaptive-exam.start';
const CURRENT = 'adaptive-exam.current';
const TOKEN = 'adaptive-exam.token';
const EXAM = 'adaptive-exam.exam.';
const ANSWER = 'adaptive-exam.answer.';

const kept = openStorage('localStorage');
const ofThisTab = openStorage('sessionStorage');

/** A browser storage of JSON values. Where the browser keeps nothing, memory has to do. */
function openStorage(name) {
  const memory = new Map();
  const real = attempt(() => window[name]) ?? null;
  return {
    get lasts() {
      return real !== null && memory.size === 0;
    },
    get(key) {
      const text = memory.get(key) ?? attempt(() => real?.getItem(key)) ?? null;
      return text === null ? null : attempt(() => JSON.parse(text)) ?? null;
    },
    set(key, value) {
      const text = JSON.stringify(value);
      try {
        real.setItem(key, text);
        memory.delete(key);
      } catch {
        memory.set(key, text);
      }
    },
    remove(key) {
      memory.delete(key);
      attempt(() => real?.removeItem(key));
    },
    keys(prefix) {
      const stored = attempt(() => Object.keys(real ?? {})) ?? [];
      return [...new Set([...stored, ...memory.keys()])].filter((key) => key.startsWith(prefix));
    },
  };
}

function attempt(read) {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** Whether what is kept outlasts this page. */
export function isLasting() {
  return kept.lasts;
}

// ---- the token -----------------------------------------------------------------------------------

export function token() {
  return ofThisTab.get(TOKEN);
}

export function keepToken(value) {
  ofThisTab.set(TOKEN, value);
}

// ---- a start -------------------------------------------------------------------------------------

/** The start that this tab has on its way, `{key, body}`; null without one. */
export function pendingStart() {
  const start = kept.get(START);
  return start !== null && start.key === ofThisTab.get(START) ? start : null;
}

/** Keeps a start. The same start under the same key is one exam, also when its first reply was lost. */
export function keepStart(body) {
  const before = pendingStart();
  const isSame = before !== null && JSON.stringify(before.body) === JSON.stringify(body);
  const key = isSame ? before.key : freshKey();
  kept.set(START, { key, body });
  ofThisTab.set(START, key);
}

export function dropStart() {
  kept.remove(START);
}

/** A random UUID; browsers offer it themselves only to pages that came over TLS or from this machine. */
function freshKey() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

// ---- the exam ------------------------------------------------------------------------------------

/** The exam of this tab; null without one. */
export function currentExam() {
  return ofThisTab.get(CURRENT);
}

/** Whether this browser knows an open exam, or a start, that this tab has not taken up. */
export function hasOpenExam() {
  return kept.get(CURRENT) !== null || kept.get(START) !== null;
}

/** Makes the exam or the start that this browser knows the one of this tab. */
export function takeUpOpenExam() {
  const start = kept.get(START);
  if (start !== null) ofThisTab.set(START, start.key);
  else ofThisTab.set(CURRENT, kept.get(CURRENT));
}

/** Begins the record of an exam and makes it the one of this tab. */
export function beginExam(id, maxItems) {
  kept.set(EXAM + id, { maxItems, course: {}, shown: null });
  kept.set(CURRENT, id);
  ofThisTab.set(CURRENT, id);
}

/** From now on this tab alone knows of the exam: it has ended. */
export function finishExam(id) {
  ofThisTab.set(EXAM + id, examRecord(id));
  kept.remove(EXAM + id);
  if (kept.get(CURRENT) === id) kept.remove(CURRENT);
}

/** Forgets the exam of this tab, and with it who took it. */
export function forgetEverything() {
  const id = currentExam();
  if (id !== null) {
    kept.keys(`${ANSWER}${id}.`).forEach(kept.remove);
    kept.remove(EXAM + id);
    if (kept.get(CURRENT) === id) kept.remove(CURRENT);
  }
  kept.remove(START);
  ofThisTab.keys('adaptive-exam.').forEach(ofThisTab.remove);
}

/** Puts the open exam of this browser away. Its unsent answers stay: they are sent, whoever is here. */
export function putAwayOpenExam() {
  kept.remove(EXAM + kept.get(CURRENT));
  kept.remove(CURRENT);
  kept.remove(START);
}

export function examRecord(id) {
  return ofThisTab.get(EXAM + id) ?? kept.get(EXAM + id) ?? { maxItems: null, course: {}, shown: null };
}

export function changeExamRecord(id, change) {
  const record = examRecord(id);
  change(record);
  (ofThisTab.get(EXAM + id) ? ofThisTab : kept).set(EXAM + id, record);
}

// ---- answers -------------------------------------------------------------------------------------

/** Answers that no one has acknowledged, as they were written down. */
export function unsavedAnswers() {
  return kept.keys(ANSWER).map((key) => kept.get(key)).filter((answer) => answer !== null);
}

export function keepAnswer(answer) {
  kept.set(answerKey(answer), answer);
}

export function dropAnswer(answer) {
  kept.remove(answerKey(answer));
}

function answerKey(answer) {
  return `${ANSWER}${answer.exam_session_id}.${answer.item_id}`;
}
