// What is shown: one part of the page at a time, the state beside it, and problems in the reader's words.

import { showCourse } from './chart.js';
import { byId, element, shows } from './elements.js';
import { changeExamRecord, examRecord, pendingStart } from './storage.js';
import { dateText, decimals, durationText, hasText, text } from './words.js';

const PARTS = ['start', 'open-exam', 'question', 'result'];
/** A limit further away than this is no hurry, and not shown. */
const LONGEST_COUNTDOWN_MS = 24 * 3600 * 1000;

/** Where the fault of a field of a request is shown: the input's id, if it has one, the fault's, and its words. */
export const FIELD_PLACES = {
  exam_type: { part: 'start', input: 'exam-type', fault: 'exam-type-fault', words: 'problem.unknown_exam_type' },
  max_items: { part: 'start', input: 'max-items', fault: 'max-items-fault', words: 'problem.max_items' },
  student_id: { part: 'start', input: 'student-id', fault: 'student-id-fault', words: 'start.name.form' },
  choice: { part: 'question', fault: 'answer-fault' },
  correct: { part: 'question', fault: 'answer-fault' },
};

/** The item on the screen and its exam; null while there is none. */
let onScreen = null;
/** When exam and item are over by this page's own clock: `{exam, item}`, null where nothing is limited. */
let limits = { exam: null, item: null };

export function screen() {
  return onScreen;
}

/** When the exam is over by this page's own clock; null without a limit. */
export function examLimit() {
  return onScreen && limits.exam;
}

export function showOnly(part) {
  if (part !== 'question') onScreen = null;
  for (const name of PARTS) byId(name).hidden = name !== part;
  for (const name of ['access', 'course', 'another', 'print']) byId(name).hidden = true;
  byId('end').hidden = part !== 'question';
}

function showTitle(part) {
  document.title = part ? text('title.part', { part }) : text('title');
}

/** Tells a state beside the exam; `kind` is `saved` or `waiting`, or nothing. */
export function say(words, kind = '') {
  const line = byId('status');
  if (line.textContent !== words) line.textContent = words;
  line.className = kind;
}

/** Tells what is waited for, and offers to try at once; null when the waiting is over. */
export function showWaiting(words) {
  byId('try-now').hidden = words === null;
  if (words !== null) say(words, 'waiting');
}

// ---- before the exam -----------------------------------------------------------------------------

/** The start form: `offer` is the reply of `GET /exam-types`. */
export function showStart(offer) {
  showOnly('start');
  showTitle(null);
  const before = pendingStart()?.body;
  const wanted = before?.exam_type ?? new URLSearchParams(location.search).get('exam_type');
  const select = byId('exam-type');
  select.replaceChildren(...offer.exam_types.map(({ name }) => element('option', { value: name }, name)));
  if (offer.exam_types.some(({ name }) => name === wanted)) select.value = wanted;
  byId('max-items').value = before?.max_items ?? '';
  byId('student-id').value = before?.student_id ?? '';
  byId('max-items-field').hidden = !offer.start_fields.includes('max_items');
  showIntroduction(offer);
  if (offer.exam_types.length === 0) say(text('start.none'));
}

/** What there is to know of the chosen exam type, and whether it needs a name. */
export function showIntroduction(offer) {
  const type = offer.exam_types.find(({ name }) => name === byId('exam-type').value);
  byId('student-field').hidden = !needsName(offer, type);
  const lines = type ? introduction(type) : [];
  byId('introduction').replaceChildren(...lines.map((line) => element('li', {}, line)));
}

/** Resumed and counted exams are those of a person, who is known by the token or has to say a name. */
export function needsName(offer, type) {
  const asks = type !== undefined && (type.resume || type.attempts !== null);
  return asks && !offer.is_known && offer.start_fields.includes('student_id');
}

function introduction(type) {
  const lines = [text('intro.items', { count: type.max_items })];
  if (type.min_items < type.max_items) lines.push(text('intro.adaptive'));
  if (type.max_seconds !== null) lines.push(text('intro.time', { time: durationText(type.max_seconds) }));
  if (type.item_seconds !== null) lines.push(text('intro.item.time', { time: durationText(type.item_seconds) }));
  if (type.max_seconds === null && type.item_seconds === null) lines.push(text('intro.no.time'));
  lines.push(text('intro.no.way.back'));
  if (type.attempts !== null) lines.push(text('intro.attempts', { count: type.attempts }));
  return [...lines, text('intro.saved')];
}

/** Asks whether an exam that is open in this browser is that of whoever is here now. */
export function showOpenExam() {
  showOnly('open-exam');
  showTitle(null);
  byId('open-exam-heading').focus();
}

// ---- the question --------------------------------------------------------------------------------

export function hasChoices(item) {
  return Array.isArray(item.choices) && item.choices.length > 0;
}

export function isOnScreen(answer) {
  return onScreen?.exam === answer.exam_session_id && onScreen.item.id === answer.item_id;
}

export function showQuestion(standing) {
  const { exam, item } = standing;
  const isShown = isOnScreen({ exam_session_id: exam, item_id: item.id });
  showProgress(standing);
  takeTime(standing.time);
  if (isShown) return;
  onScreen = { exam, item };
  changeExamRecord(exam, (record) => {
    if (record.shown?.item !== item.id) record.shown = { item: item.id, at: Date.now() };
  });
  const isCode = (field) => (item.code_fields ?? []).includes(field);
  byId('question-text').textContent = item.text || item.code || text('question.item', { number: item.id });
  byId('question-text').classList.toggle('code', isCode('text'));
  const choices = hasChoices(item) ? item.choices : [];
  byId('choices').replaceChildren(...choices.map((choice, index) => choiceElement(choice, index, isCode('choices'))));
  for (const id of ['choices-hint', 'submit-choice']) byId(id).hidden = !hasChoices(item);
  byId('choices-hint').textContent = text('question.keys', { count: Math.min(choices.length, 9) });
  byId('grades').hidden = hasChoices(item);
  showOnly('question');
  showTime();
  byId('question-heading').focus();
}

function choiceElement(choice, index, isCode) {
  const radio = element('input', { type: 'radio', name: 'choice', value: choice.id });
  const digit = element('span', { class: 'digit keys', 'aria-hidden': 'true' }, index < 9 ? String(index + 1) : '');
  const words = element('span', { class: isCode ? 'words code' : 'words', dir: 'auto' }, choice.text);
  return element('label', { class: 'choice' }, radio, digit, words);
}

function showProgress({ answered, maxItems }) {
  const heading = text('question.heading', { number: answered + 1 });
  byId('question-heading').textContent = heading;
  showTitle(heading);
  const bar = byId('progress');
  bar.hidden = !maxItems;
  bar.max = maxItems || 1;
  bar.value = answered;
  byId('progress-text').textContent = maxItems
    ? text('question.progress', { answered, most: maxItems }) : text('question.answered', { answered });
}

/** Takes over what is left of the time, as the service tells it. */
function takeTime(time) {
  const until = (left) => (Number.isFinite(left) ? Date.now() + left * 1000 : null);
  limits = { exam: until(time?.seconds_left), item: until(time?.item_seconds_left) };
  showTime();
}

export function showTime() {
  const line = byId('time');
  const parts = ['item', 'exam'].map((name) => timeText(name, limits[name])).filter((words) => words !== null);
  line.hidden = parts.length === 0 || !onScreen;
  const words = parts.join(' · ');
  if (line.textContent !== words) line.textContent = words;
}

function timeText(name, until) {
  const left = until === null ? null : until - Date.now();
  if (left === null || left > LONGEST_COUNTDOWN_MS) return null;
  return left > 0 ? text(`time.${name}`, { time: clock(left) }) : text(`time.${name}.over`);
}

/** Hours, minutes and seconds, never below zero. */
function clock(ms) {
  const seconds = Math.max(Math.ceil(ms / 1000), 0);
  const two = (value) => String(value).padStart(2, '0');
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

/** Time stands still, and so does the page. */
export function showPaused() {
  showOnly(null);
  showTitle(text('paused.title'));
  showWaiting(text('paused'));
}

// ---- the result ----------------------------------------------------------------------------------

export function showResult(exam, result) {
  showOnly('result');
  showTitle(text('result.title'));
  const passed = result.classification?.passed;
  byId('verdict').hidden = passed === undefined;
  byId('verdict').textContent = text(passed ? 'result.passed' : 'result.not.passed');
  byId('numbers').replaceChildren(...resultNumbers(result).map(numberElement));
  byId('result-notes').replaceChildren(...resultNotes(result).map((note) => element('p', { class: 'hint' }, note)));
  byId('another').hidden = false;
  byId('print').hidden = false;
  showCourse(examRecord(exam).course);
  byId('result-heading').focus();
}

/** What the result tells, and no line for what it keeps to itself. */
function resultNumbers(result) {
  const { items_completed: answered, max_items: most, classification } = result;
  const items = most ? text('result.items.of', { answered, most }) : answered;
  const reason = result.termination_reason;
  const level = classification && classification.passed === undefined ? classification : null;
  const date = result.ended_at ?? result.started_at ?? null;
  return [
    { name: 'exam_type', label: 'result.exam', value: result.exam_type, shown: result.exam_type, wide: true },
    { name: 'student_id', label: 'result.name', value: result.student_id, shown: result.student_id, wide: true },
    { name: 'ended_at', label: 'result.date', value: date, shown: date && dateText(date), wide: true },
    { name: 'score', label: 'result.score', value: result.score, shown: decimals(result.score, 1) },
    { name: 'class', label: 'result.class', value: level?.class, shown: level && text('result.class.of', level) },
    { name: 'theta', label: 'result.ability', value: result.theta, shown: decimals(result.theta, 2) },
    { name: 'standard_error', label: 'result.error', value: result.standard_error, shown: decimals(result.standard_error, 2) },
    { name: 'items_completed', label: 'result.items', value: answered, shown: items },
    { name: 'termination_reason', label: 'result.reason', value: reason, shown: reason && text(`reason.${reason}`), wide: true },
  ].filter(({ value, shown }) => value !== undefined && value !== null && shown !== null);
}

function numberElement({ name, label, value, shown, wide }) {
  const data = element('data', { value, 'data-name': name, dir: 'auto' }, String(shown));
  return element('div', wide ? { class: 'wide' } : {}, element('dt', {}, text(label)), element('dd', {}, data));
}

function resultNotes(result) {
  const notes = [
    [result.score === null, 'result.no.score'],
    [typeof result.score === 'number', 'result.score.means'],
    [typeof result.theta === 'number', 'result.ability.means'],
    [typeof result.standard_error === 'number', 'result.error.means'],
    [result.at_bound === true, 'result.bound'],
  ];
  return notes.filter(([fits]) => fits).map(([, key]) => text(key));
}

// ---- problems ------------------------------------------------------------------------------------

export function clearProblems() {
  byId('problem').replaceChildren();
  byId('again').hidden = true;
  for (const fault of document.querySelectorAll('.fault')) fault.textContent = '';
  for (const input of document.querySelectorAll('[aria-invalid]')) input.removeAttribute('aria-invalid');
}

/** Shows a problem of the service: each fault beside its field if that is on the screen, the rest in a list. */
export function showProblem({ body }) {
  const faults = Array.isArray(body.errors) ? body.errors : [];
  const places = faults.map(({ field }) => FIELD_PLACES[field]);
  const hasPlace = (index) => places[index] && shows(places[index].part);
  const unplaced = faults.filter((_, index) => !hasPlace(index));
  const list = element('ul', {}, ...unplaced.map(({ field, message }) => element('li', {}, `${field}: ${message}`)));
  byId('problem').replaceChildren(element('p', {}, problemText(body)), ...(unplaced.length > 0 ? [list] : []));
  byId('again').hidden = body.status === 422;
  // The first place gets the focus, so it comes last.
  faults.map((fault, index) => ({ fault, index })).filter(({ index }) => hasPlace(index)).reverse()
    .forEach(({ fault, index }) => {
      const { words } = places[index];
      showFieldFault(places[index], words ? text(words) : sentence(fault.message));
    });
}

/** The words for a problem: those of its code, or what the service says. */
function problemText(body) {
  const key = `problem.${body.code}`;
  return hasText(key) ? text(key) : text('problem.other', { detail: sentence(body.detail ?? body.title ?? '') });
}

export function showFieldFault({ input, fault }, words) {
  byId(fault).textContent = words;
  if (!input) return;
  byId(input).setAttribute('aria-invalid', 'true');
  byId(input).focus();
}

function sentence(words) {
  const first = words.charAt(0).toUpperCase() + words.slice(1);
  return /[.!?]$/.test(first) ? first : `${first}.`;
}
