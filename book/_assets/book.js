// When a page loads or changes size, the theme asks which boxes scroll, and so need the keyboard's
// focus. What is unfolded later may scroll, too: let it ask again.
for (const event of ["toggle", "click"])
    document.addEventListener(event, () => window.dispatchEvent(new Event("resize")), true);

// Boxes that scroll sideways say so: they fade on the side where they go on, and take the focus.
const BOXES = ".bd-content :is(mjx-container, span.math, .pst-scrollable-table-container)";
function hint(box) {
    const more = box.clientWidth && box.scrollWidth - box.clientWidth;  // 0 where it is inline
    const wide = more > 8;  // more than a letter's overhang
    box.classList.toggle("more-left", wide && box.scrollLeft > 1);
    box.classList.toggle("more-right", wide && box.scrollLeft < more - 1);
    if (wide) box.tabIndex = 0;
}
const hint_all = () => document.querySelectorAll(BOXES).forEach(hint);
document.addEventListener("scroll", ({target}) => target.matches?.(BOXES) && hint(target), {capture: true, passive: true});
window.addEventListener("resize", hint_all);
window.addEventListener("load", async () => {
    await window.MathJax?.startup?.promise;
    new ResizeObserver(hint_all).observe(document.body);
});
