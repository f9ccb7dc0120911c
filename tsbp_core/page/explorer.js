// Draws one explorer: sliders and choices pick a frame of the table, the panels show it as SVG.
// The page calls explore(root), where root holds <script type="application/json"> with the data.
function explore(root) {
  if (root.dataset.frame !== undefined) return;
  const data = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
  const W = 370, H = 235, M = {left: 52, right: 14, top: 12, bottom: 40};
  const NS = "http://www.w3.org/2000/svg";
  const svg = (name, attributes, parent, text) => {
    const node = document.createElementNS(NS, name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    if (text !== undefined) node.textContent = text;
    parent.append(node);
    return node;
  };
  const html = (name, attributes, parent, text) => {
    const node = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    if (text !== undefined) node.textContent = text;
    parent.append(node);
    return node;
  };

  // Axes: a map from data to pixels, and where to put ticks.
  function axis([low, high], log, from, to) {
    const f = log ? Math.log10 : Number;
    const scale = (to - from) / (f(high) - f(low));
    const at = value => from + (Math.min(Math.max(f(value), f(low)), f(high)) - f(low)) * scale;
    const ticks = [];
    if (log) {
      const every = Math.max(1, Math.ceil((f(high) - f(low)) / 4));
      for (let e = Math.ceil(f(low) - 1e-9); e <= f(high) + 1e-9; e += every)
        ticks.push([10 ** e, "10" + String(e).replace(/./g, c => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(c)])]);
    } else {
      const raw = (high - low) / 4, unit = 10 ** Math.floor(Math.log10(raw));
      const step = [1, 2, 2.5, 5, 10].map(m => m * unit).find(s => s >= raw - 1e-12);
      for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++)
        ticks.push([k * step, String(+(k * step).toPrecision(6)).replace("-", "−")]);
    }
    return {at, ticks};
  }

  function drawPanel(panel, parent) {
    const box = html("figure", {class: "panel"}, parent);
    html("figcaption", {}, box, panel.title);
    const legend = html("div", {class: "legend"}, box);
    for (const series of panel.series) if (series.label) {
      const item = html("span", {class: "role-" + series.role}, legend);
      const swatch = svg("svg", {viewBox: "0 0 26 10", width: 26, height: 10, "aria-hidden": "true"}, item);
      if (series.kind === "dots" || series.kind === "raster") mark(series, 13, 5, swatch);
      else svg("path", {d: "M1 5H25", class: "line"}, swatch);
      item.append(" " + series.label);
    }
    const canvas = svg("svg", {viewBox: `0 0 ${W} ${H}`, role: "img"}, box);
    const x = axis(panel.xlim, panel.xlog, M.left, W - M.right);
    const y = axis(panel.ylim, panel.ylog, H - M.bottom, M.top);
    for (const [value, label] of panel.ylabel ? y.ticks : []) {
      svg("path", {d: `M${M.left} ${y.at(value)}H${W - M.right}`, class: "grid"}, canvas);
      svg("text", {x: M.left - 7, y: y.at(value) + 4, "text-anchor": "end"}, canvas, label);
    }
    for (const [value, label] of x.ticks)
      svg("text", {x: x.at(value), y: H - M.bottom + 16, "text-anchor": "middle"}, canvas, label);
    svg("path", {d: `M${M.left} ${M.top}V${H - M.bottom}H${W - M.right}`, class: "axis"}, canvas);
    svg("text", {x: (M.left + W - M.right) / 2, y: H - 6, "text-anchor": "middle"}, canvas, panel.xlabel);
    svg("text", {x: 0, y: 0, "text-anchor": "middle", class: "ylabel",
      transform: `translate(12 ${(M.top + H - M.bottom) / 2}) rotate(-90)`}, canvas, panel.ylabel);
    const groups = panel.series.map(series => svg("g", {class: "role-" + series.role}, canvas));
    return {panel, canvas, x, y, groups};
  }

  function mark(series, px, py, parent) {
    if (series.kind === "raster") return svg("path", {d: `M${px} ${py - 5}v10`, class: "line solid"}, parent);
    if (series.role === "dropped")
      return svg("rect", {x: px - 3, y: py - 3, width: 6, height: 6, class: "dot"}, parent);
    return svg("circle", {cx: px, cy: py, r: series.role === "truth" ? 4.5 : 3.2, class: "dot"}, parent);
  }

  // One series of one frame. Points are [x, y]; y null breaks a line.
  function drawSeries(series, points, view, group) {
    group.replaceChildren();
    const {x, y} = view;
    if (series.kind === "vline" || series.kind === "hline") {
      for (const value of points) svg("path", {class: "line", d: series.kind === "vline"
        ? `M${x.at(value)} ${M.top}V${H - M.bottom}` : `M${M.left} ${y.at(value)}H${W - M.right}`}, group);
    } else if (series.kind === "line" || series.kind === "steps") {
      let d = "", open = false;
      for (const [a, b] of points) {
        if (a === null || b === null) { open = false; continue; }
        const px = x.at(a).toFixed(1), py = y.at(b).toFixed(1);
        d += !open ? `M${px} ${py}` : series.kind === "steps" ? `H${px}V${py}` : `L${px} ${py}`;
        open = true;
      }
      svg("path", {d, class: "line"}, group);
    } else {
      for (const [a, b] of points) {
        if (a === null || b === null) continue;
        const px = x.at(a), py = y.at(b);
        if (series.kind === "stems") svg("path", {d: `M${px} ${y.at(0)}V${py}`, class: "line"}, group);
        mark(series, px, py, group);
      }
    }
  }

  // A button that moves a slider to its end, a step at a time. Moving it by hand stops it.
  function player(input, parent, show) {
    const button = html("button", {type: "button"}, parent);
    let timer;
    const stop = () => {
      clearInterval(timer);
      timer = undefined;
      button.textContent = "▶ play";
      summary.setAttribute("aria-live", "polite");
    };
    const step = () => {
      input.value = +input.value + 1;
      show();
      if (input.value === input.max) stop();
    };
    button.textContent = "▶ play";
    button.addEventListener("click", () => {
      if (timer) return stop();
      button.textContent = "❚❚ pause";
      summary.setAttribute("aria-live", "off");
      if (input.value === input.max) { input.value = 0; show(); }
      timer = setInterval(step, 700);
    });
    input.addEventListener("input", stop);
  }

  html("div", {class: "title"}, root, data.title);
  html("p", {class: "question"}, root, data.question);
  const form = html("div", {class: "controls"}, root);
  const indices = data.controls.map(control => control.start);
  data.controls.forEach((control, c) => {
    const id = `${root.id}-${c}`;
    if (control.kind === "range") {
      const slider = html("div", {class: "slider"}, form);
      const label = html("label", {for: id}, slider, control.name + " ");
      const output = html("output", {for: id}, label);
      const input = html("input", {type: "range", id, min: 0, max: control.labels.length - 1, step: 1}, slider);
      input.value = control.start;
      const say = () => {
        output.textContent = control.labels[input.value];
        input.setAttribute("aria-valuetext", control.labels[input.value]);
      };
      say();
      const show = () => { indices[c] = +input.value; say(); draw(); };
      input.addEventListener("input", show);
      if (control.play) player(input, slider, show);
    } else {
      const set = html("fieldset", {}, form);
      html("legend", {}, set, control.name);
      control.labels.forEach((text, i) => {
        const label = html("label", {}, set);
        const input = html("input", {type: "radio", name: id, value: i}, label);
        input.checked = i === control.start;
        label.append(" " + text);
        input.addEventListener("change", () => { indices[c] = i; draw(); });
      });
    }
  });
  const grid = html("div", {class: "panels"}, root);
  const views = data.panels.map(panel => drawPanel(panel, grid));
  const summary = html("p", {class: "summary", "aria-live": "polite"}, root);
  let shown = [];

  function draw() {
    const start = performance.now();
    const index = indices.reduce((n, i, c) => n * data.controls[c].labels.length + i, 0);
    const [panels, text] = data.frames[index];
    panels.forEach((all, p) => all.forEach((place, s) => {
      if (shown[p]?.[s] === place) return;
      const points = data.pool[place], {panel} = views[p], series = panel.series[s];
      const rule = series.kind === "vline" || series.kind === "hline";
      const pairs = rule ? points : points.length === 2 && Array.isArray(points[0])
        ? points[0].map((a, i) => [a, points[1][i]]) : points.map((b, i) => [panel.x[i], b]);
      drawSeries(series, pairs, views[p], views[p].groups[s]);
    }));
    shown = panels;
    summary.textContent = text;
    for (const {panel, canvas} of views) canvas.setAttribute("aria-label", `${panel.title}. ${text}`);
    root.dataset.frame = indices.join(",");
    root.dataset.redrawMs = (performance.now() - start).toFixed(2);
  }
  draw();
}
document.querySelectorAll(".tsbp-explorer").forEach(explore);
