// Elements of the page by id, and new ones.

export const byId = (id) => document.getElementById(id);

/** Whether a part of the page is shown. */
export function shows(part) {
  return !byId(part).hidden;
}

export function element(name, attributes, ...children) {
  return filled(document.createElement(name), attributes, children);
}

export function svg(name, attributes, ...children) {
  return filled(document.createElementNS('http://www.w3.org/2000/svg', name), attributes, children);
}

function filled(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}
