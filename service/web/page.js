// The page to take an exam: asks the service, shows one item at a time, and never loses an answer.
//
// What is to be sent is written into the browser's storage first and leaves it only when the service has
// acknowledged it. So there is one way on, `proceed`: send what is stored, then show where the exam stands.
// A submission, a reload, a new token and "Try again" all take that way; the service answers a repetition
// with its first reply, so sending once too often costs nothing.

import { redrawCourse } from './chart.js';
import { byId, shows } from './elements.js';
import { deliver, isHeld, isPaused, pause, tryNow } from './requests.js';
import * as storage from './storage.js';
import {
  FIELD_PLACES, clearProblems, examLimit, hasChoices, isOnScreen, needsName, say, screen, showFieldFault,
  showIntroduction, showOnly, showOpenExam, showPaused, showProblem, showQuestion, showResult, showStart, showTime,
  showWaiting,
} from './views.js';
import { chooseLanguage, text } from './words.js';

const LONGEST_RESPONSE_TIME_MS = 2 ** 31 - 1;
const PAUSED_LOOK_MS = 5000;
const OVER_LOOK_MS = 3000;
/** How long a result stays on a screen that nobody touches. */
const RESULT_STAYS_MS = 15 * 60 * 1000;
const STUDENT = /^[A-Za-z0-9._:@-]{1,128}$/;

/** Whether `proceed` is under way. */
let busy = false;
/** What can be started, as the service told it; null before. */
let offer = null;
/** When the page was touched last. */
let touchedAt = Date.now();
/** When the service was asked last whether the exam is over. */
let lookedAt = 0;

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

function setBusy(value) {
  busy = value;
  for (const button of document.querySelectorAll('form button, .actions button')) {
    button.setAttribute('aria-disabled', String(value));
  }
}

async function advance() {
  const start = storage.pendingStart();
  if (start) return sendStart(start);
  const outcome = await sendUnsavedAnswers();
  if (outcome.stop) return undefined;
  const exam = storage.currentExam();
  if (exam === null) return storage.hasOpenExam() ? showOpenExam() : offerStart();
  if (outcome.standing && !outcome.standing.completed) return showQuestion(outcome.standing);
  await readStanding(exam);
  if (outcome.refused) showRefused(outcome.refused);
  return undefined;
}

/** Asks what can be started, and shows the form for it. */
async function offerStart() {
  const reply = await deliver({ method: 'GET', path: '/exam-types' }, waiting(text('types.waiting')));
  if (reply.status === 401) return askForToken();
  showOnly(null);
  if (reply.status !== 200) {
    // A token that may start nothing is not the last word.
    byId('another').hidden = false;
    return showProblem(reply);
  }
  offer = reply.body;
  return showStart(offer);
}

async function sendStart({ key, body }) {
  if (!shows('start')) showOnly(null);
  say(text('start.starting'));
  const request = { method: 'POST', path: '/start', body, headers: { 'Idempotency-Key': key } };
  const reply = await deliver(request, waiting(text('start.waiting')));
  if (reply.status !== 200) return refuseStart(reply);
  const { exam_session_id: exam, max_items: maxItems, item, items_completed: answered, resumed, time } = reply.body;
  storage.beginExam(exam, maxItems);
  storage.dropStart();
  say(text(resumed ? 'start.resumed' : 'start.started'));
  if (!item) return readStanding(exam);
  return showQuestion({ exam, item, answered, maxItems, time });
}

/** A refused start has changed nothing. Without a right token it may still succeed under its key. */
async function refuseStart(reply) {
  say('');
  if (reply.status === 401) return askForToken();
  if (!shows('start')) await offerStart();
  if ([403, 409, 422].includes(reply.status)) storage.dropStart();
  return showProblem(reply);
}

/** Sends every stored answer; gives where the current exam stands after its own, if the reply told. */
async function sendUnsavedAnswers() {
  let standing = null;
  let refused = null;
  for (const answer of storage.unsavedAnswers()) {
    const isCurrent = answer.exam_session_id === storage.currentExam();
    if (isCurrent) say(text('question.sending'));
    const request = { method: 'POST', path: '/answer', body: answer };
    const kept = text(storage.isLasting() ? 'question.waiting' : 'question.waiting.open');
    const reply = await deliver(request, waiting(kept));
    if (reply.status === 401) return askForToken();
    if (reply.status === 200) standing = acknowledge(answer, reply.body) ?? standing;
    else if (reply.status === 409 || reply.status === 410) moveOn(answer);
    else if (isCurrent && isOnScreen(answer)) return stopWith(reply);
    else if (isCurrent) refused = reply;
  }
  return { standing, refused };
}

function acknowledge(answer, reply) {
  storage.dropAnswer(answer);
  const exam = answer.exam_session_id;
  noteCourse(exam, reply.items_completed, reply.theta, reply.standard_error);
  if (exam !== storage.currentExam()) return null;
  const verdict = reply.late ? 'question.late' : { true: 'question.was.right', false: 'question.was.wrong' }[reply.correct];
  const saved = text('question.saved', { number: reply.items_completed });
  // Whoever said that they do not know need not hear that it was wrong.
  const isTold = verdict && !(answer.omitted && !reply.late);
  say(isTold ? `${saved} ${text(verdict)}` : saved, 'saved');
  const { item, items_completed: answered, time } = reply;
  const { maxItems } = storage.examRecord(exam);
  return { exam, item, answered, time, maxItems, completed: reply.completed || !item };
}

/** The service stands elsewhere already, so this answer can change nothing any more. */
function moveOn(answer) {
  storage.dropAnswer(answer);
  if (answer.exam_session_id === storage.currentExam()) say(text('question.moved.on'));
}

function stopWith(reply) {
  showRefused(reply);
  return { stop: true };
}

/** An answer that can never be saved as it is: why, and for an exam that is none a way out. */
function showRefused(reply) {
  say(text('question.not.saved'), 'waiting');
  showProblem(reply);
  byId('another').hidden = reply.status !== 404;
}

function askForToken() {
  const { length } = storage.unsavedAnswers();
  say(length > 0 ? text('question.kept') : '', 'waiting');
  byId('access').hidden = false;
  const words = text(storage.token() ? 'problem.unauthorized' : 'access.missing');
  showFieldFault({ input: 'access-token', fault: 'access-token-fault' }, words);
  return { stop: true };
}

async function readStanding(exam) {
  const path = `/next?exam_session_id=${encodeURIComponent(exam)}`;
  let reply;
  for (;;) {
    reply = await deliver({ method: 'GET', path }, waiting(text('no.connection')));
    if (reply.status !== 200 || !reply.body.time?.paused) break;
    showPaused();
    await pause(PAUSED_LOOK_MS);
  }
  showWaiting(null);
  if (reply.status === 401) return askForToken();
  if (reply.status !== 200) return showLostExam(reply);
  const { body } = reply;
  storage.changeExamRecord(exam, (record) => {
    record.maxItems = body.max_items ?? record.maxItems;
  });
  noteCourse(exam, body.items_completed, body.theta ?? body.current_theta, body.standard_error);
  if (body.completed) return readResult(exam, body);
  if (byId('status').textContent === text('paused')) say('');
  const { item, items_completed: answered, max_items: maxItems, time } = body;
  return showQuestion({ exam, item, answered, maxItems, time });
}

/** The result with its exam type, person and date. */
async function readResult(exam, result) {
  const path = `/status?exam_session_id=${encodeURIComponent(exam)}`;
  const reply = await deliver({ method: 'GET', path }, waiting(text('no.connection')));
  storage.finishExam(exam);
  showResult(exam, reply.status === 200 ? reply.body : result);
}

function showLostExam(reply) {
  say('');
  showProblem(reply);
  byId('another').hidden = reply.status !== 404;
}

/** Tells what a request waits for. */
function waiting(words) {
  return (reply) => {
    if (reply === null) return showWaiting(null);
    if (isPaused(reply)) return showWaiting(text('paused.answer'));
    return showWaiting(isHeld(reply) ? text('held') : words);
  };
}

/** Keeps an estimate for the chart. Callers who may not see it get none, and then there is none to keep. */
function noteCourse(exam, answered, theta, standardError) {
  if (!(answered >= 1) || !Number.isFinite(theta) || !Number.isFinite(standardError)) return;
  storage.changeExamRecord(exam, (record) => {
    record.course[answered] ??= [theta, standardError];
  });
}

// ---- what a person does --------------------------------------------------------------------------

function submitStart(event) {
  event.preventDefault();
  if (busy) return;
  clearProblems();
  const body = readStartForm();
  if (!body) return;
  storage.keepStart(body);
  proceed();
}

/** The body of a start; null, and the fault beside its field, if there is none. */
function readStartForm() {
  const body = { exam_type: byId('exam-type').value };
  const type = offer.exam_types.find(({ name }) => name === body.exam_type);
  if (!type) return null;
  if (needsName(offer, type)) {
    body.student_id = byId('student-id').value.trim();
    if (body.student_id === '') return refuseField(FIELD_PLACES.student_id, 'start.name.missing');
    if (!STUDENT.test(body.student_id)) return refuseField(FIELD_PLACES.student_id, 'start.name.form');
  }
  const count = byId('max-items').value.trim();
  if (count === '' || byId('max-items-field').hidden) return body;
  if (!/^\d{1,9}$/.test(count)) return refuseField(FIELD_PLACES.max_items, 'start.items.form');
  return { ...body, max_items: Number(count) };
}

function refuseField(place, key) {
  showFieldFault(place, text(key));
  return null;
}

function submitToken(event) {
  event.preventDefault();
  if (busy) return;
  clearProblems();
  const place = { input: 'access-token', fault: 'access-token-fault' };
  const token = byId('access-token').value.trim();
  if (token === '') return refuseField(place, 'access.missing');
  if (!/^[\x21-\x7e]+$/.test(token)) return refuseField(place, 'access.form');
  storage.keepToken(token);
  byId('access').hidden = true;
  byId('access-token').value = '';
  return proceed();
}

function submitChoice(event) {
  event.preventDefault();
  if (busy || !screen() || !hasChoices(screen().item)) return;
  clearProblems();
  const chosen = byId('answer-form').querySelector('input[name="choice"]:checked');
  if (!chosen) {
    showFieldFault(FIELD_PLACES.choice, text('question.choose'));
    return;
  }
  keepAnswer({ choice: Number(chosen.value) });
}

function submitGrade(event) {
  const { correct } = event.target.dataset;
  if (busy || !screen() || correct === undefined) return;
  keepAnswer({ correct: correct === 'true' });
}

function omit() {
  if (busy || !screen()) return;
  keepAnswer({ omitted: true });
}

/** Writes an answer down and sends it. */
function keepAnswer(submitted) {
  const { exam, item } = screen();
  const answer = { exam_session_id: exam, item_id: item.id, ...submitted, response_time_ms: responseTime(exam, item) };
  storage.keepAnswer(answer);
  proceed();
}

/** Milliseconds since the item was shown first, also if the page was loaded again since. */
function responseTime(exam, item) {
  const { shown } = storage.examRecord(exam);
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

function askToEnd() {
  if (!busy) byId('end-dialog').showModal();
}

/** Ends the exam if the dialog was left that way. */
async function endExam() {
  const exam = storage.currentExam();
  if (byId('end-dialog').returnValue !== 'end' || busy || exam === null) return;
  setBusy(true);
  clearProblems();
  const request = { method: 'POST', path: '/complete', body: { exam_session_id: exam } };
  const reply = await deliver(request, waiting(text('end.waiting')));
  say('');
  setBusy(false);
  if (reply.status === 401) askForToken();
  else if (reply.status === 200 || reply.status === 410) await proceed();
  else showProblem(reply);
}

function takeOpenExam() {
  if (busy) return;
  storage.takeUpOpenExam();
  proceed();
}

function putAwayOpenExam() {
  if (busy) return;
  storage.putAwayOpenExam();
  proceed();
}

/** Leaves nothing of the exam and its examinee to whoever comes next. */
async function startAnother() {
  if (busy) return;
  storage.forgetEverything();
  byId('start-form').reset();
  byId('numbers').replaceChildren();
  byId('course-rows').replaceChildren();
  say('');
  await proceed();
  if (shows('start')) byId('start-heading').focus();
}

// ---- the beginning -------------------------------------------------------------------------------

/** Once a second: the time, and when the exam's is over, where it stands then. */
function tick() {
  if (shows('result') && Date.now() > touchedAt + RESULT_STAYS_MS) startAnother();
  if (!screen()) return;
  showTime();
  const limit = examLimit();
  if (limit === null || busy || Date.now() < limit + OVER_LOOK_MS || Date.now() < lookedAt + OVER_LOOK_MS) return;
  lookedAt = Date.now();
  proceed();
}

function listen() {
  byId('start-form').addEventListener('submit', submitStart);
  byId('exam-type').addEventListener('change', () => showIntroduction(offer));
  byId('open-mine').addEventListener('click', takeOpenExam);
  byId('open-other').addEventListener('click', putAwayOpenExam);
  byId('access-form').addEventListener('submit', submitToken);
  byId('answer-form').addEventListener('submit', submitChoice);
  byId('answer-form').addEventListener('click', holdChoice);
  byId('grades').addEventListener('click', submitGrade);
  byId('omit').addEventListener('click', omit);
  byId('question').addEventListener('keydown', pressKey);
  byId('end').addEventListener('click', askToEnd);
  byId('end-dialog').addEventListener('close', endExam);
  byId('try-now').addEventListener('click', tryNow);
  byId('again').addEventListener('click', proceed);
  byId('another').addEventListener('click', startAnother);
  byId('print').addEventListener('click', () => window.print());
  window.addEventListener('online', tryNow);
  window.addEventListener('resize', () => shows('course') && redrawCourse(storage.examRecord(storage.currentExam()).course));
  // A page that the browser shows again from its memory may be that of somebody else.
  window.addEventListener('pageshow', (event) => event.persisted && location.reload());
  for (const kind of ['pointerdown', 'keydown']) window.addEventListener(kind, () => { touchedAt = Date.now(); });
  setInterval(tick, 1000);
}

await chooseLanguage();
listen();
proceed();
