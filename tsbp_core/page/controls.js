// Controls: sliders and choices described by fields, and the link that keeps their values.
//
// A field is {label, low, high, step, start} for a slider (`log`: low, high and step are powers of
// ten; `labels`: what is shown in place of the value, a whole number), {label, choices: {value:
// text}, start} for a choice (`radio`: all of them in view).

const KEYS = {"data-lm-suppress-shortcuts": "true"};  // JupyterLab leaves the keys alone

const digits = (value, n = 3) => String(+value.toPrecision(n));

// Settings from a link's text, each forced into its range; what it does not name is the default.
function read_fields(text, fields) {
  const given = new URLSearchParams(text), settings = {};
  for (const [name, {choices, low, high, step, log, start}] of Object.entries(fields)) {
    const value = given.get(name), within = (low, high) => Math.min(Math.max(+value, low), high);
    if (choices) settings[name] = Object.hasOwn(choices, value) ? value : start;
    else if (value === null || !Number.isFinite(+value)) settings[name] = start;
    else settings[name] = log ? within(10 ** low, 10 ** high) : within(low, high);
    if (step === 1) settings[name] = Math.round(settings[name]);
  }
  return settings;
}

function write_settings(settings) {
  const short = value => typeof value === "number" ? +value.toPrecision(4) : value;
  return String(new URLSearchParams(Object.entries(settings).map(([name, value]) => [name, short(value)])));
}

// One row a field; `change` is called with name and value. Returns what shows settings. Label and
// value have a fixed width: nothing moves while a slider is dragged.
function make_controls(parent, id, fields, names, change) {
  const form = element("div", {class: "controls"}, parent), shows = {};
  for (const name of names) {
    const field = fields[name], key = `${id}-${name}`;
    const make = field.radio ? radios : field.choices ? select : slider;
    shows[name] = make(form, key, field, value => change(name, value));
  }
  return settings => { for (const name of names) shows[name](settings[name], settings); };
}

function labelled(form, key, label) {
  const row = element("div", {class: "control"}, form);
  element("label", {for: key}, row, label);
  return row;
}

function select(form, key, {label, choices}, change) {
  const node = element("select", {id: key, ...KEYS}, labelled(form, key, label));
  for (const [value, text] of Object.entries(choices)) element("option", {value}, node, text);
  node.addEventListener("change", () => change(node.value));
  return value => { node.value = value; };
}

function radios(form, key, {label, choices}, change) {
  const row = element("div", {class: "control", role: "radiogroup", "aria-label": label}, form);
  element("span", {}, row, label);
  const group = element("div", {class: "radios"}, row);
  const inputs = Object.entries(choices).map(([value, text]) => {
    const node = element("label", {}, group), input = element("input", {type: "radio", name: key, value, ...KEYS}, node);
    node.append(` ${text}`);
    input.addEventListener("change", () => change(value));
    return input;
  });
  return value => { for (const input of inputs) input.checked = input.value === String(value); };
}

function slider(form, key, {label, low, high, step, log, labels, most}, change) {
  const row = labelled(form, key, label);
  const input = element("input", {type: "range", id: key, min: low, max: high, step, ...KEYS}, row);
  const output = element("output", {for: key}, row);
  input.addEventListener("input", () => change(log ? 10 ** +input.value : +input.value));
  return (value, settings) => {
    if (most) input.max = most(settings);
    input.value = log ? Math.log10(value) : value;
    output.textContent = labels ? labels[value] : digits(value);
    input.setAttribute("aria-valuetext", output.textContent);
  };
}
