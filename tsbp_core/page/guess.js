// Predict first: what a box shows is hidden until the reader has marked a guess. Then both stand
// above it, the guess and the answer. Uses controls.js.

// `guess`: {question, field, answer, words, see}. `shown` is called when the box opens; with `see`,
// two buttons call it with the guess and with the answer.
function predict(root, {question, field, answer, words, see}, shown) {
  const form = element("form", {class: "guess"}), numbers = !field.choices;
  const before = root.querySelector(":scope > .question");
  if (before) before.after(form); else root.prepend(form);
  root.classList.add("guessing");
  element("p", {}, form, question);
  let guess = field.start, marked = false;
  const show = make_controls(form, `${root.id}-guess`, {guess: field}, ["guess"], (_, value) => mark(value));
  const button = element("button", {type: "submit", disabled: "", ...KEYS}, form, "show the picture");
  if (numbers) show({guess});

  function mark(value) {
    [guess, marked] = [value, true];
    show({guess});
    button.removeAttribute("disabled");
  }

  form.addEventListener("submit", event => {
    event.preventDefault();
    if (!marked) return;
    const said = value => numbers ? digits(value) : field.choices[value];
    const told = element("p", {role: "status", tabindex: "-1"});
    told.append("Your guess: ", element("b", {}, null, said(guess)), ". The answer: ", element("b", {}, null, said(answer)), `. ${words}`);
    form.replaceChildren(told);
    if (see) for (const [label, value] of [["see your guess", guess], ["see the answer", answer]])
      element("button", {type: "button", ...KEYS}, form, label).addEventListener("click", () => shown(value));
    root.classList.remove("guessing");
    told.focus();
    shown(guess);
  });
}
