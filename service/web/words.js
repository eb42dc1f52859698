// Texts in the reader's language: one file for each, English where a text is missing.

import english from './words/en.js';

/** Languages that have a file, with the direction of their script. */
const LANGUAGES = { en: 'ltr', de: 'ltr', ko: 'ltr' };

let words = english;
let language = 'en';

/** Takes the language of `?lang=`, or the first of the browser's that has a file. */
export async function chooseLanguage() {
  const asked = new URLSearchParams(location.search).get('lang');
  const wanted = [asked, ...(navigator.languages ?? [navigator.language])].filter(Boolean);
  language = wanted.map((tag) => tag.toLowerCase().split('-')[0]).find((tag) => tag in LANGUAGES) ?? 'en';
  // Without the file of a language the page still works, in English.
  words = language === 'en' ? english : await import(`./words/${language}.js`).then((file) => file.default, () => english);
  if (words === english) language = 'en';
  document.documentElement.lang = language;
  document.documentElement.dir = LANGUAGES[language];
  for (const element of document.querySelectorAll('[data-words]')) element.textContent = text(element.dataset.words);
  document.title = text('title');
}

/**
 * The text of a key, with values put in for `{name}`. A text that depends on a count has one form for each plural
 * category of the language, and is chosen by the value `count`.
 */
export function text(key, values = {}) {
  const found = words[key] ?? english[key] ?? key;
  const form = typeof found === 'string' ? found : found[new Intl.PluralRules(language).select(values.count)] ?? found.other;
  return form.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** Whether there is a text for a key. */
export function hasText(key) {
  return key in english;
}

/** A date with its time, as the reader's language writes it. */
export function dateText(iso) {
  return new Intl.DateTimeFormat(language, { dateStyle: 'long', timeStyle: 'short' }).format(new Date(iso));
}

/** A number with so many decimals and a true minus sign, never "-0.00"; null for what is none. */
export function decimals(value, places) {
  if (typeof value !== 'number' || !Number.isFinite(value)) return null;
  const options = { minimumFractionDigits: places, maximumFractionDigits: places, signDisplay: 'negative' };
  return new Intl.NumberFormat(language, options).format(value).replace('-', '−');
}

/** A time span in words: hours, minutes, seconds, as far as they are not zero. */
export function durationText(seconds) {
  const parts = [['hour', Math.floor(seconds / 3600)], ['minute', Math.floor((seconds % 3600) / 60)], ['second', seconds % 60]];
  const some = parts.filter(([, count]) => count > 0);
  return some.map(([unit, value]) => new Intl.NumberFormat(language, { style: 'unit', unit, unitDisplay: 'long' }).format(value))
    .join(' ');
}
