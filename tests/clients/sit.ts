// Sits an exam through the generated TypeScript client. Usage: node sit.js URL

import createClient from 'openapi-fetch';
import type { components, paths } from './schema.js';

declare const process: { argv: string[] };

type Item = components['schemas']['Item'];

function good<T>(reply: { data?: T; error?: unknown }): T {
  if (reply.data === undefined) throw new Error(JSON.stringify(reply.error));
  return reply.data;
}

const client = createClient<paths>({ baseUrl: process.argv[2] });
const types = good(await client.GET('/api/adaptive/exam-types'));
const started = good(await client.POST('/api/adaptive/start', {
  body: { exam_type: types.exam_types[0]!.name, max_items: 5, class_id: 7 },
}));
const exam = started.exam_session_id;
let item: Item | null = started.item;
let answered = 0;
while (item !== null) {
  const reply: components['schemas']['AnswerReply'] = good(await client.POST('/api/adaptive/answer', {
    body: { exam_session_id: exam, item_id: item.id, choice: 2 },
  }));
  item = reply.item ?? null;
  answered += 1;
}
const standing = good(await client.GET('/api/adaptive/next', { params: { query: { exam_session_id: exam } } }));
if (!standing.completed || standing.items_completed !== 5 || answered !== 5) throw new Error(JSON.stringify(standing));
console.log(`exam ${exam}: ${answered} answers, theta ${standing.theta}`);
