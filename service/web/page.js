// The page to take an exam: asks the service, shows one item at a time, and never loses an answer.
//
// What is to be sent is written into the browser's storage first and leaves it only when the service has
// acknowledged it. So there is one way on, `proceed`: send what is stored, then show where the exam stands.
// A submission, a reload, a new token and "Try again" all take that way; the service answers a repetition
// with its first reply, so sending once too often costs nothing.

const API = 'api/adaptive';
const START = 'adaptive-exam.start';
const CURRENT = 'adaptive-exam.current';
const TOKEN = 'adaptive-exam.token';
const EXAM = 'adaptive-exam.exam.';
const ANSWER = 'adaptive-exam.answer.';

const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 30_000;
const REQUEST_LIMIT_MS = 20_000;
const LONGEST_RESPONSE_TIME_MS = 2 ** 31 - 1;
const NORMAL_95 = 1.96;
const PAUSED = 'The exam is paused. It goes on here by itself.';
const PAUSED_LOOK_MS = 5000;
const OVER_LOOK_MS = 3000;

const REASONS = {
  max_items_reached: 'All items were given',
  time_limit: 'The time was up',
  expired: 'It was left alone for too long',
  standard_error_threshold: 'The ability is known precisely enough',
  standard_error_settled: 'The precision no longer improved',
  ability_settled: 'The ability no longer changed',
  minimum_information: 'No item left would have told much more',
  classified: 'The ability could be told from the cut',
  all_rules_met: 'Every rule for the end was met',
  no_items_available: 'No suitable item was left',
  manual_completion: 'It was ended by hand',
};

/** Where the fault of a field of a request is shown: the input's id, if it has one, and the fault's. */
const FIELD_PLACES = {
  exam_type: { part: 'start', input: 'exam-type', fault: 'exam-type-fault' },
  max_items: { part: 'start', input: 'max-items', fault: 'max-items-fault' },
  choice: { part: 'question', fault: 'answer-fault' },
  correct: { part: 'question', fault: 'answer-fault' },
};

const byId = (id) => document.getElementById(id);
const kept = openStorage('localStorage');
const ofThisTab = openStorage('sessionStorage');

/** The item on the screen and its exam; null while there is none. */
let onScreen = null;
/** Whether `proceed` is under way. */
let busy = false;
/** Ends the pause before the next attempt; null while there is none. */
let endPause = null;
/** When exam and item are over by this page's own clock: `{exam, item}`, null where nothing is limited. */
let limits = { exam: null, item: null };

// ---- storage -------------------------------------------------------------------------------------

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

function currentExam() {
  return ofThisTab.get(CURRENT) ?? kept.get(CURRENT);
}

function takeUpExam(id, maxItems) {
  kept.set(EXAM + id, { maxItems, course: {}, shown: null });
  kept.set(CURRENT, id);
  ofThisTab.set(CURRENT, id);
}

function forgetExam(id) {
  kept.keys(`${ANSWER}${id}.`).forEach(kept.remove);
  kept.remove(EXAM + id);
  ofThisTab.remove(CURRENT);
  if (kept.get(CURRENT) === id) kept.remove(CURRENT);
}

function examRecord(id) {
  return kept.get(EXAM + id) ?? { maxItems: null, course: {}, shown: null };
}

function changeExamRecord(id, change) {
  const record = examRecord(id);
  change(record);
  kept.set(EXAM + id, record);
}

/** Answers that no one has acknowledged, as they were written down. */
function unsavedAnswers() {
  return kept.keys(ANSWER).map((key) => kept.get(key)).filter((answer) => answer !== null);
}

function answerKey(answer) {
  return `${ANSWER}${answer.exam_session_id}.${answer.item_id}`;
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

// ---- requests ------------------------------------------------------------------------------------

/** Sends a request until a reply settles it: `{status, body}`. `waitingText` is told while none does. */
async function deliver(request, waitingText) {
  for (let attempts = 0; ; attempts += 1) {
    const reply = await sendOnce(request);
    if (!isWorthRepeating(reply)) {
      showWaiting(null);
      return reply;
    }
    showWaiting(isPaused(reply) ? 'The exam is paused. Your answer is kept, and sent when it goes on.' : waitingText);
    await pause(Math.max(growingPause(attempts), reply.retryAfterMs ?? 0));
  }
}

/** One attempt. A reply that cannot be read is no reply: status 0. */
async function sendOnce({ method, path, body, headers = {} }) {
  try {
    const response = await fetch(`${API}${path}`, {
      method,
      headers: { ...bearer(), ...(body && { 'Content-Type': 'application/json' }), ...headers },
      body: body && JSON.stringify(body),
      cache: 'no-store',
      signal: timeLimit(),
    });
    const reply = { status: response.status, retryAfterMs: retryAfter(response.headers.get('Retry-After')) };
    const text = await response.text();
    const read = attempt(() => JSON.parse(text));
    if (read === undefined && response.ok) return { status: 0 };
    return { ...reply, body: read ?? { detail: `The service replied with status ${response.status}.` } };
  } catch {
    return { status: 0 };
  }
}

function timeLimit() {
  return AbortSignal.timeout ? AbortSignal.timeout(REQUEST_LIMIT_MS) : undefined;
}

function bearer() {
  const token = ofThisTab.get(TOKEN);
  return token ? { Authorization: `Bearer ${token}` } : {};
}

function isWorthRepeating(reply) {
  const { status } = reply;
  return status === 0 || status === 408 || status === 425 || status === 429 || status >= 500 || isPaused(reply);
}

function isPaused({ status, body }) {
  return status === 409 && body.code === 'exam_paused';
}

/** Milliseconds that a Retry-After header asks for, in seconds or as a date; null without one. */
function retryAfter(header) {
  if (!header) return null;
  const ms = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isFinite(ms) && ms > 0 ? ms : null;
}

/** Doubles with every attempt; a random part keeps many pages from coming back at the same moment. */
function growingPause(attempts) {
  return Math.min(FIRST_PAUSE_MS * 2 ** attempts, LONGEST_PAUSE_MS) * (1 + Math.random() / 4);
}

/** Waits so long, or until the browser is online again or somebody presses "Try now". */
function pause(ms) {
  return new Promise((resolve) => {
    const timer = setTimeout(() => endPause?.(), Math.min(ms, 2 ** 31 - 1));
    endPause = () => {
      clearTimeout(timer);
      endPause = null;
      resolve();
    };
  });
}

// ---- the way on ----------------------------------------------------------------------------------

/** Sends what is stored and shows where the exam stands. */
async function proceed() {
  if (busy) return;
  setBusy(true);
  clearProblems();
  try {
    await advance();
  } finally {
    setBusy(false);
  }
}

async function advance() {
  const stored = kept.get(START);
  if (stored) return sendStart(stored);
  const outcome = await sendUnsavedAnswers();
  if (outcome.stop) return undefined;
  const exam = currentExam();
  if (exam === null) return showStart();
  if (outcome.standing && !outcome.standing.completed) return showQuestion(outcome.standing);
  await readStanding(exam);
  if (outcome.refused) showRefused(outcome.refused);
  return undefined;
}

async function sendStart(stored) {
  if (!shows('start')) showStart();
  say('Starting …');
  const headers = { 'Idempotency-Key': stored.key };
  const request = { method: 'POST', path: '/start', body: stored.body, headers };
  const reply = await deliver(request, 'Not started yet, trying again.');
  if (reply.status !== 200) return refuseStart(reply);
  const { exam_session_id: exam, max_items: maxItems, item, items_completed: answered, resumed, time } = reply.body;
  takeUpExam(exam, maxItems);
  kept.remove(START);
  say(resumed ? 'The exam goes on where you left it.' : 'The exam has started.');
  if (!item) return readStanding(exam);
  return showQuestion({ exam, item, answered, maxItems, time });
}

/** A refused start has changed nothing. Without a right token it may still succeed under its key. */
function refuseStart(reply) {
  say('');
  if (reply.status === 401) {
    const detail = reply.body.detail ?? 'The service asks for a token.';
    return showFieldFault({ input: 'start-token', fault: 'start-token-fault' }, detail);
  }
  if ([403, 409, 422].includes(reply.status)) kept.remove(START);
  return showProblem(reply);
}

/** Sends every stored answer; gives where the current exam stands after its own, if the reply told. */
async function sendUnsavedAnswers() {
  let standing = null;
  let refused = null;
  for (const answer of unsavedAnswers()) {
    const isCurrent = answer.exam_session_id === currentExam();
    if (isCurrent) say('Sending …');
    const request = { method: 'POST', path: '/answer', body: answer };
    const reply = await deliver(request, notSavedText());
    if (reply.status === 401) return askForToken(reply);
    if (reply.status === 200) standing = acknowledge(answer, reply.body) ?? standing;
    else if (reply.status === 409 || reply.status === 410) moveOn(answer);
    else if (isCurrent && isOnScreen(answer)) return stopWith(reply);
    else if (isCurrent) refused = reply;
  }
  return { standing, refused };
}

function acknowledge(answer, reply) {
  kept.remove(answerKey(answer));
  const exam = answer.exam_session_id;
  noteCourse(exam, reply.items_completed, reply.theta, reply.standard_error);
  if (exam !== currentExam()) return null;
  const late = reply.late ? ' It came after its time and counts as wrong.' : '';
  say(`Answer ${reply.items_completed} saved.${late}`, 'saved');
  const { item, items_completed: answered, time } = reply;
  return { exam, item, answered, time, maxItems: examRecord(exam).maxItems, completed: reply.completed || !item };
}

/** The service stands elsewhere already, so this answer can change nothing any more. */
function moveOn(answer) {
  kept.remove(answerKey(answer));
  if (answer.exam_session_id === currentExam()) say('The exam had moved on already; this is where it stands.');
}

function stopWith(reply) {
  showRefused(reply);
  return { stop: true };
}

/** An answer that can never be saved as it is: why, and for an exam that is none a way out. */
function showRefused(reply) {
  say('Not saved.', 'waiting');
  showProblem(reply);
  byId('another').hidden = reply.status !== 404;
}

function askForToken(reply) {
  say(unsavedAnswers().length > 0 ? 'Not saved yet: the service asks for a token.' : '', 'waiting');
  byId('access').hidden = false;
  const detail = reply.body.detail ?? 'The service asks for a token.';
  showFieldFault({ input: 'access-token', fault: 'access-token-fault' }, detail);
  return { stop: true };
}

async function readStanding(exam) {
  const path = `/next?exam_session_id=${encodeURIComponent(exam)}`;
  let reply;
  for (;;) {
    reply = await deliver({ method: 'GET', path }, 'No connection to the service yet, trying again.');
    if (reply.status !== 200 || !reply.body.time?.paused) break;
    showPaused();
    await pause(PAUSED_LOOK_MS);
  }
  showWaiting(null);
  if (reply.status === 401) return askForToken(reply);
  if (reply.status !== 200) return showLostExam(reply);
  const { body } = reply;
  changeExamRecord(exam, (record) => {
    record.maxItems = body.max_items ?? record.maxItems;
  });
  noteCourse(exam, body.items_completed, body.theta ?? body.current_theta, body.standard_error);
  if (body.completed) return showResult(exam, body);
  if (byId('status').textContent === PAUSED) say('');
  const { item, items_completed: answered, max_items: maxItems, time } = body;
  return showQuestion({ exam, item, answered, maxItems, time });
}

/** Time stands still, and so does the page. */
function showPaused() {
  onScreen = null;
  showOnly(null);
  document.title = 'Paused – Adaptive exam';
  showWaiting(PAUSED);
}

function showLostExam(reply) {
  say('');
  showProblem(reply);
  byId('another').hidden = reply.status !== 404;
}

/** Keeps an estimate for the chart. Callers who may not see it get none, and then there is none to keep. */
function noteCourse(exam, answered, theta, standardError) {
  if (!(answered >= 1) || !isNumber(theta) || !isNumber(standardError)) return;
  changeExamRecord(exam, (record) => {
    record.course[answered] ??= [theta, standardError];
  });
}

function isNumber(value) {
  return typeof value === 'number' && Number.isFinite(value);
}

// ---- what a person does --------------------------------------------------------------------------

function submitStart(event) {
  event.preventDefault();
  if (busy) return;
  clearProblems();
  if (!takeToken('start-token')) return;
  const body = readStartForm();
  if (!body) return;
  // The same start under the same key is one exam, also when its first reply was lost.
  const stored = kept.get(START);
  const isSame = stored && JSON.stringify(stored.body) === JSON.stringify(body);
  kept.set(START, { key: isSame ? stored.key : freshKey(), body });
  proceed();
}

/** The body of a start; null, and the fault beside its field, if there is none. */
function readStartForm() {
  const body = { exam_type: byId('exam-type').value.trim() };
  const count = byId('max-items').value.trim();
  if (body.exam_type === '') return refuseField(FIELD_PLACES.exam_type, 'Enter the type of the exam.');
  if (count === '') return body;
  if (!/^\d{1,9}$/.test(count)) return refuseField(FIELD_PLACES.max_items, 'Enter a whole number, or nothing.');
  return { ...body, max_items: Number(count) };
}

function refuseField(place, message) {
  showFieldFault(place, message);
  return null;
}

/** Keeps the token that was entered for this tab; false if it cannot be one. */
function takeToken(input) {
  const token = byId(input).value.trim();
  if (token === '') return true;
  if (!/^[\x21-\x7e]+$/.test(token)) {
    showFieldFault({ input, fault: `${input}-fault` }, 'A token has no spaces and only plain characters.');
    return false;
  }
  ofThisTab.set(TOKEN, token);
  return true;
}

function submitToken(event) {
  event.preventDefault();
  if (busy) return;
  clearProblems();
  if (!takeToken('access-token')) return;
  byId('access').hidden = true;
  byId('access-token').value = '';
  proceed();
}

function submitChoice(event) {
  event.preventDefault();
  if (busy || !onScreen || !hasChoices(onScreen.item)) return;
  clearProblems();
  const chosen = byId('answer-form').querySelector('input[name="choice"]:checked');
  if (!chosen) {
    showFieldFault(FIELD_PLACES.choice, 'Choose an answer first.');
    return;
  }
  keepAnswer({ choice: Number(chosen.value) });
}

function submitGrade(event) {
  const { correct } = event.target.dataset;
  if (busy || !onScreen || correct === undefined) return;
  keepAnswer({ correct: correct === 'true' });
}

/** Writes an answer down and sends it. */
function keepAnswer(submitted) {
  const answer = {
    exam_session_id: onScreen.exam,
    item_id: onScreen.item.id,
    ...submitted,
    response_time_ms: responseTime(onScreen),
  };
  kept.set(answerKey(answer), answer);
  proceed();
}

/** Milliseconds since the item was shown first, also if the page was loaded again since. */
function responseTime({ exam, item }) {
  const { shown } = examRecord(exam);
  const passed = shown?.item === item.id ? Date.now() - shown.at : 0;
  return Math.min(Math.max(Math.round(passed), 0), LONGEST_RESPONSE_TIME_MS);
}

/** Digits choose, and Enter sends from anywhere in the question that has no use of its own for it. */
function pressKey(event) {
  if (busy || event.ctrlKey || event.altKey || event.metaKey) return;
  if (/^[1-9]$/.test(event.key)) chooseByDigit(Number(event.key), event);
  else if (event.key === 'Enter' && !event.target.closest('button, input')) submitChoice(event);
}

function chooseByDigit(digit, event) {
  const radio = byId('choices').querySelectorAll('input')[digit - 1];
  if (!radio) return;
  event.preventDefault();
  radio.checked = true;
  radio.focus();
}

/** While an answer is on its way it stays as it is. */
function holdChoice(event) {
  if (busy && event.target.closest('label, input')) event.preventDefault();
}

function startAnother() {
  if (busy) return;
  const exam = currentExam();
  if (exam !== null) forgetExam(exam);
  clearProblems();
  say('');
  showStart();
  byId('start-heading').focus();
}

// ---- what is shown -------------------------------------------------------------------------------

function shows(part) {
  return !byId(part).hidden;
}

function showOnly(part) {
  for (const name of ['start', 'question', 'result']) byId(name).hidden = name !== part;
  for (const name of ['access', 'course', 'another']) byId(name).hidden = true;
}

function setBusy(value) {
  busy = value;
  for (const button of document.querySelectorAll('form button, #again, #another')) {
    button.setAttribute('aria-disabled', String(value));
  }
}

/** Tells a state beside the exam; `kind` is `saved` or `waiting`, or nothing. */
function say(text, kind = '') {
  const line = byId('status');
  if (line.textContent !== text) line.textContent = text;
  line.className = kind;
}

function showWaiting(text) {
  byId('try-now').hidden = text === null;
  if (text !== null) say(text, 'waiting');
}

function notSavedText() {
  const text = 'Your answer is not saved yet, trying again.';
  if (kept.lasts) return text;
  return `${text} Leave this page open: this browser does not let it keep your answer.`;
}

function showStart() {
  onScreen = null;
  showOnly('start');
  document.title = 'Adaptive exam';
  const stored = kept.get(START);
  if (!stored) return;
  byId('exam-type').value = stored.body.exam_type;
  byId('max-items').value = stored.body.max_items ?? '';
}

function hasChoices(item) {
  return Array.isArray(item.choices) && item.choices.length > 0;
}

function isOnScreen(answer) {
  return onScreen?.exam === answer.exam_session_id && onScreen.item.id === answer.item_id;
}

function showQuestion(standing) {
  const { exam, item } = standing;
  const isShown = isOnScreen({ exam_session_id: exam, item_id: item.id });
  showProgress(standing);
  takeTime(standing.time);
  if (isShown) return;
  onScreen = { exam, item };
  changeExamRecord(exam, (record) => {
    if (record.shown?.item !== item.id) record.shown = { item: item.id, at: Date.now() };
  });
  byId('question-text').textContent = item.text || item.code || `Item ${item.id}`;
  byId('choices').replaceChildren(...(hasChoices(item) ? item.choices.map(choiceElement) : []));
  for (const id of ['choices-hint', 'submit-choice']) byId(id).hidden = !hasChoices(item);
  byId('grades').hidden = hasChoices(item);
  showOnly('question');
  showTime();
  byId('question-heading').focus();
}

function showProgress({ answered, maxItems }) {
  const heading = `Question ${answered + 1}`;
  byId('question-heading').textContent = heading;
  document.title = `${heading} – Adaptive exam`;
  const bar = byId('progress');
  bar.hidden = !maxItems;
  bar.max = maxItems || 1;
  bar.value = answered;
  byId('progress-text').textContent = maxItems ? `${answered} of at most ${maxItems} answered` : `${answered} answered`;
}

/** Takes over what is left of the time, as the service tells it. */
function takeTime(time) {
  const until = (left) => (isNumber(left) ? Date.now() + left * 1000 : null);
  limits = { exam: until(time?.seconds_left), item: until(time?.item_seconds_left) };
  showTime();
}

function showTime() {
  const line = byId('time');
  const parts = [['this question', limits.item], ['the exam', limits.exam]].filter(([, until]) => until !== null)
    .map(([name, until]) => `${clock(until - Date.now())} left for ${name}`);
  line.hidden = parts.length === 0 || !onScreen;
  line.textContent = parts.join(', ');
}

/** Minutes and seconds, never below zero. */
function clock(ms) {
  const seconds = Math.max(Math.ceil(ms / 1000), 0);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

/** Once a second: the time, and when the exam's is over, where it stands then. */
function tick() {
  if (!onScreen) return;
  showTime();
  if (limits.exam === null || busy || Date.now() < limits.exam + OVER_LOOK_MS) return;
  limits.exam = Date.now();
  proceed();
}

function choiceElement(choice, index) {
  const radio = element('input', { type: 'radio', name: 'choice', value: choice.id });
  const digit = element('span', { class: 'digit', 'aria-hidden': 'true' }, index < 9 ? String(index + 1) : '');
  return element('label', { class: 'choice' }, radio, digit, element('span', { class: 'words' }, choice.text));
}

function showResult(exam, result) {
  onScreen = null;
  showOnly('result');
  document.title = 'Result – Adaptive exam';
  byId('numbers').replaceChildren(...resultNumbers(result).map(numberElement));
  byId('result-note').textContent = result.at_bound === true ? 'The ability lies at the end of its scale.' : '';
  byId('another').hidden = false;
  showCourse(examRecord(exam).course);
  byId('result-heading').focus();
}

/** What the result tells, and no line for what it keeps to itself. */
function resultNumbers(result) {
  const answered = result.max_items ? `${result.items_completed} of ${result.max_items}` : result.items_completed;
  const reason = REASONS[result.termination_reason] ?? result.termination_reason;
  return [
    { name: 'theta', label: 'Ability (theta)', value: result.theta, text: decimals(result.theta, 2) },
    { name: 'standard_error', label: 'Standard error', value: result.standard_error, text: decimals(result.standard_error, 2) },
    { name: 'score', label: 'Score', value: result.score, text: decimals(result.score, 1) },
    { name: 'items_completed', label: 'Items answered', value: result.items_completed, text: answered },
    { name: 'termination_reason', label: 'Why it ended', value: result.termination_reason, text: reason, wide: true },
  ].filter(({ value, text }) => value !== undefined && value !== null && text !== null);
}

function numberElement({ name, label, value, text, wide }) {
  const data = element('data', { value, 'data-name': name }, String(text));
  return element('div', wide ? { class: 'wide' } : {}, element('dt', {}, label), element('dd', {}, data));
}

/** A number with a true minus sign, never "-0.00"; null for what is none. */
function decimals(value, places) {
  if (!isNumber(value)) return null;
  const text = value.toFixed(places);
  return Number(text) === 0 ? text.replace('-', '') : text.replace('-', '−');
}

// ---- problems ------------------------------------------------------------------------------------

function clearProblems() {
  byId('problem').replaceChildren();
  byId('again').hidden = true;
  for (const fault of document.querySelectorAll('.fault')) fault.textContent = '';
  for (const input of document.querySelectorAll('[aria-invalid]')) input.removeAttribute('aria-invalid');
}

/** Shows a problem of the service: each fault beside its field if that is on the screen, the rest in a list. */
function showProblem({ body }) {
  const faults = Array.isArray(body.errors) ? body.errors : [];
  const places = faults.map(({ field }) => FIELD_PLACES[field]);
  const hasPlace = (index) => places[index] && shows(places[index].part);
  const unplaced = faults.filter((_, index) => !hasPlace(index));
  const list = element('ul', {}, ...unplaced.map(({ field, message }) => element('li', {}, `${field}: ${message}`)));
  const detail = element('p', {}, sentence(body.detail ?? body.title ?? 'The service refused this.'));
  byId('problem').replaceChildren(detail, ...(unplaced.length > 0 ? [list] : []));
  byId('again').hidden = body.status === 422;
  // The first place gets the focus, so it comes last.
  faults.map((fault, index) => ({ fault, index })).filter(({ index }) => hasPlace(index)).reverse()
    .forEach(({ fault, index }) => showFieldFault(places[index], fault.message));
}

function showFieldFault({ input, fault }, message) {
  byId(fault).textContent = sentence(message);
  if (!input) return;
  byId(input).setAttribute('aria-invalid', 'true');
  byId(input).focus();
}

function sentence(text) {
  const first = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(first) ? first : `${first}.`;
}

// ---- the chart -----------------------------------------------------------------------------------

/** Estimates by number of answers, as points in order: `{x, y, low, high, standardError}`. */
function coursePoints(course) {
  return Object.entries(course).map(([answered, [theta, standardError]]) => {
    const reach = NORMAL_95 * standardError;
    return { x: Number(answered), y: theta, low: theta - reach, high: theta + reach, standardError };
  }).sort((one, other) => one.x - other.x);
}

function showCourse(course) {
  const points = coursePoints(course);
  byId('course').hidden = points.length === 0;
  if (points.length === 0) return;
  byId('course-rows').replaceChildren(...points.map(courseRow));
  drawChart(points);
}

function courseRow({ x, y, low, high, standardError }) {
  const cells = [y, standardError, low, high].map((value) => element('td', {}, decimals(value, 2)));
  return element('tr', {}, element('th', { scope: 'row' }, String(x)), ...cells);
}

/** Draws at the width there is, so that its texts keep their size on a narrow screen. */
function drawChart(points) {
  const width = Math.max(byId('chart').clientWidth, 240);
  const height = Math.round(Math.min(width * 0.6, 320));
  const box = { left: 40, right: width - 12, top: 24, bottom: height - 40 };
  const rows = ticks(Math.min(...points.map(({ low }) => low)), Math.max(...points.map(({ high }) => high)), 6);
  const last = points.at(-1).x;
  const columns = ticks(1, Math.max(last, 2), width < 400 ? 5 : 10).filter((x) => Number.isInteger(x) && x >= 1);
  const atX = scale(points[0].x, last, box.left + 8, box.right - 8);
  const atY = scale(rows[0], rows.at(-1), box.bottom, box.top);
  byId('chart').replaceChildren(svg('svg', {
    viewBox: `0 0 ${width} ${height}`, width, height, role: 'img', 'aria-label': chartText(points),
  }, ...gridRows(rows, box, atY), ...gridColumns(columns.filter((x) => x >= points[0].x && x <= last), box, atX),
  axisName('Answers', (box.left + box.right) / 2, height - 4, 'middle'), axisName('Ability', 2, 13, 'start'),
  ...chartMarks(points, atX, atY)));
}

function chartText(points) {
  const { x, y, low, high } = points.at(-1);
  const [ability, from, to] = [y, low, high].map((value) => decimals(value, 2));
  return `Chart of the ability after each answer. After answer ${x} it is ${ability}, range ${from} to ${to}. `
    + 'The table below has every value.';
}

function chartMarks(points, atX, atY) {
  const line = points.map(({ x, y }) => `${atX(x)},${atY(y)}`);
  const upper = points.map(({ x, high }) => `${atX(x)},${atY(high)}`);
  const lower = points.map(({ x, low }) => `${atX(x)},${atY(low)}`).reverse();
  const radius = points.length > 60 ? 1.5 : 3.5;
  const dots = points.map(({ x, y }) => svg('circle', { class: 'point', cx: atX(x), cy: atY(y), r: radius }));
  return [
    svg('polygon', { class: 'band', points: [...upper, ...lower].join(' ') }),
    svg('polyline', { class: 'line', points: line.join(' ') }),
    ...dots,
  ];
}

function gridRows(values, box, atY) {
  const places = values.some((value) => !Number.isInteger(value)) ? 1 : 0;
  return values.flatMap((value) => [
    svg('line', { class: 'grid', x1: box.left, x2: box.right, y1: atY(value), y2: atY(value) }),
    svg('text', { x: box.left - 6, y: atY(value) + 4, 'text-anchor': 'end' }, decimals(value, places)),
  ]);
}

function gridColumns(values, box, atX) {
  return values.map((value) => svg('text', { x: atX(value), y: box.bottom + 18, 'text-anchor': 'middle' }, String(value)));
}

function axisName(text, x, y, anchor) {
  return svg('text', { x, y, 'text-anchor': anchor }, text);
}

/** Maps values to places; all to the middle if there is but one value. */
function scale(from, to, start, end) {
  if (from === to) return () => (start + end) / 2;
  return (value) => Math.round((start + ((value - from) / (to - from)) * (end - start)) * 100) / 100;
}

/** Round values, at most about `count`, that enclose a range. */
function ticks(low, high, count) {
  const rough = (high - low || 1) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough * 0.999);
  const first = Math.floor(low / step + 1e-9);
  const last = Math.ceil(high / step - 1e-9);
  return Array.from({ length: last - first + 1 }, (_, index) => Number(((first + index) * step).toFixed(6)));
}

function element(name, attributes, ...children) {
  return filled(document.createElement(name), attributes, children);
}

function svg(name, attributes, ...children) {
  return filled(document.createElementNS('http://www.w3.org/2000/svg', name), attributes, children);
}

function filled(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

// ---- the beginning -------------------------------------------------------------------------------

function redrawCourse() {
  if (shows('course')) drawChart(coursePoints(examRecord(currentExam()).course));
}

function listen() {
  byId('start-form').addEventListener('submit', submitStart);
  byId('access-form').addEventListener('submit', submitToken);
  byId('answer-form').addEventListener('submit', submitChoice);
  byId('answer-form').addEventListener('click', holdChoice);
  byId('grades').addEventListener('click', submitGrade);
  byId('question').addEventListener('keydown', pressKey);
  byId('try-now').addEventListener('click', () => endPause?.());
  byId('again').addEventListener('click', proceed);
  byId('another').addEventListener('click', startAnother);
  window.addEventListener('online', () => endPause?.());
  window.addEventListener('resize', redrawCourse);
  setInterval(tick, 1000);
}

listen();
proceed();
