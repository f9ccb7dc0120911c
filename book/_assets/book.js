// When a page loads or changes size, the theme asks which boxes scroll, and so need the keyboard's
// focus. What is unfolded later may scroll, too: let it ask again.
for (const event of ["toggle", "click"])
    document.addEventListener(event, () => window.dispatchEvent(new Event("resize")), true);
