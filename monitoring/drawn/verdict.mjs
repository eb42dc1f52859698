// What is wrong with drawn panels, in sentences, and what was allowed.
//
// Input: the report of each dashboard, the text of the file of allowed panels. Output: sentences. Must not know: the browser.

const LINE = /^([^/]+)\/(.+?): (.+)$/;

// One panel a line: dashboard/panel title: reason. A # begins a comment.
export function allowed(text, file) {
  return text
    .split("\n")
    .map((line, i) => ({ line: line.trim(), at: `${file}:${i + 1}` }))
    .filter(({ line }) => line && !line.startsWith("#"))
    .map(({ line, at }) => {
      const [, board, title, reason] = LINE.exec(line) ?? [];
      if (!reason) {
        throw new Error(`${at}: not "dashboard/panel title: reason": ${line}`);
      }
      return { board, title, reason, at };
    });
}

// Everything that a panel lacks.
export function faults(panel) {
  const found = [];
  if (panel.error) {
    found.push(panel.error);
  } else if (panel.points === 0) {
    found.push("no data");
  } else {
    found.push(...panel.targets.filter(({ points }) => points === 0).map(({ ref }) => `query ${ref} has no data`));
  }
  if (!panel.unit) {
    found.push("no unit");
  }
  const isNamed = panel.legend.length === panel.series && panel.legend.every((name) => name.trim());
  if (panel.series > 0 && !isNamed) {
    found.push("a series without a legend");
  }
  const twice = panel.legend.filter((name, i) => name.trim() && panel.legend.indexOf(name) !== i);
  if (panel.type !== "table" && twice.length > 0) {
    found.push(`several series have the legend "${twice[0]}"`);
  }
  return found;
}

// `refused` are sentences that fail the drawing, `accepted` those that the file allows.
export function judge(boards, list) {
  const refused = [];
  const accepted = [];
  for (const { name, error, panels } of boards) {
    if (error) {
      refused.push(`${name}: ${error}`);
    }
    for (const panel of panels) {
      for (const fault of faults(panel)) {
        const entry = list.find(({ board, title }) => board === name && title === panel.title);
        const sentence = `${name}/${panel.title}: ${fault}`;
        if (entry) {
          accepted.push(`${sentence} (allowed: ${entry.reason})`);
        } else {
          refused.push(sentence);
        }
      }
    }
  }
  for (const { board, title, at } of list) {
    const drawn = boards.find(({ name }) => name === board);
    if (drawn && !drawn.error && !drawn.panels.some((panel) => panel.title === title)) {
      refused.push(`${at}: the dashboard ${board} has no panel "${title}"`);
    }
  }
  return { refused, accepted };
}
