'use strict';
// Zooming, descriptions under the pointer, filters. The picture is complete without any of it.
(() => {
  const root = document.documentElement;
  root.classList.add('script');
  const one = (what, from = document) => from.querySelector(what);
  const all = (what, from = document) => [...from.querySelectorAll(what)];
  const scroller = one('.scroller'), chart = one('.chart'), span = Number(chart.dataset.span);
  const make = (tag, attributes, text) => {
    const element = document.createElementNS(one('svg').namespaceURI, tag);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text !== undefined) element.textContent = text;
    return element;
  };
  const left = () => one('.label', chart).offsetWidth;
  const plot = () => chart.offsetWidth - left();
  const view = () => scroller.clientWidth - left();
  // The whole run is as wide as the view, and wider where that is narrow.
  const base = () => Math.max(view(), parseFloat(getComputedStyle(chart).minWidth) - left());

  // A zoom is a width. Browsers have a longest one, and nothing is to be seen below a microsecond.
  let zoom = 1;
  const most = () => Math.max(1, Math.min(4e6, span * 400) / base());
  const zoomTo = (wanted, time, pixel) => {
    zoom = Math.min(most(), Math.max(1, wanted));
    chart.style.width = zoom === 1 ? '' : `${left() + base() * zoom}px`;
    scroller.scrollLeft = time / span * plot() - pixel;
    later();
  };
  const zoomBy = (factor, pixel = view() / 2) => zoomTo(zoom * factor, (scroller.scrollLeft + pixel) / plot() * span, pixel);
  const show = (from, to) => {
    const wide = Math.max((to - from) * 3, 60), middle = (from + to) / 2;
    zoomTo(span / wide * view() / base(), middle, view() / 2);
  };

  // The axis, the grid and the texts of what is in view.
  const holds = all('.row .stretch').map((stretch) => ({
    stretch,
    bars: all('rect[data-t]', stretch).map((rect) => ({
      text: rect.dataset.t, name: rect.parentNode.getAttribute('class'), y: Number(rect.getAttribute('y')),
      height: Number(rect.getAttribute('height')), x: Number(rect.getAttribute('x')), width: Number(rect.getAttribute('width')),
    })),
  }));
  for (const row of holds) {
    row.texts = make('g', {});
    row.stretch.after(row.texts);
    for (const old of all(':scope > text', row.stretch.parentNode)) old.remove();
  }
  const draw = () => {
    const width = plot(), scale = width / span;
    const from = scroller.scrollLeft / scale - 5, to = (scroller.scrollLeft + view()) / scale + 5;
    for (const row of holds) {
      const seen = row.bars.filter((bar) => bar.x < to && bar.x + bar.width > from && bar.width * scale > bar.text.length * 5.8 + 7);
      row.texts.replaceChildren(...seen.slice(0, 400).map((bar) => make('text', {
        x: `${Math.max(bar.x, from + 5) / span * 100}%`, dx: 3, y: bar.y + bar.height / 2 + 3.5, class: bar.name,
      }, bar.text)));
    }
    const about = view() / scale / 11, power = 10 ** Math.floor(Math.log10(about));
    const step = [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= about);
    const digits = Math.max(0, 3 - Math.floor(Math.log10(step) + 1e-9));
    const ticks = [];
    for (let tick = Math.max(0, Math.floor(from / step)); tick * step <= Math.min(to, span); tick += 1) ticks.push(tick * step);
    const place = (tick) => `${tick / span * 100}%`;
    for (const axis of all('.ticks', chart)) {
      axis.replaceChildren(...ticks.map((tick) => make('text', { x: place(tick), dx: 3, y: 14 }, (tick / 1e3).toFixed(digits))));
    }
    one('.grid', chart).replaceChildren(...ticks.map((tick) => make('line', { x1: place(tick), x2: place(tick), y1: 0, y2: '100%' })));
  };
  let waits = false;
  const later = () => {
    if (!waits) requestAnimationFrame(() => { waits = false; draw(); });
    waits = true;
  };
  scroller.addEventListener('scroll', later, { passive: true });
  addEventListener('resize', later);

  // Means of control.
  scroller.addEventListener('wheel', (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    zoomBy(Math.exp(-event.deltaY / 300), event.clientX - scroller.getBoundingClientRect().left - left());
  }, { passive: false });
  scroller.addEventListener('dblclick', (event) => zoomBy(4, event.clientX - scroller.getBoundingClientRect().left - left()));
  scroller.addEventListener('keydown', (event) => {
    const factor = { '+': 2, '=': 2, '-': 0.5, 0: 0 }[event.key];
    if (factor !== undefined && !event.ctrlKey && !event.metaKey) zoomBy(factor);
  });
  for (const button of all('[data-zoom]')) button.addEventListener('click', () => zoomBy(Number(button.dataset.zoom)));
  for (const box of all('[data-hides]')) {
    const change = () => chart.classList.toggle(`hides-${box.dataset.hides}`, !box.checked);
    box.addEventListener('change', change);
    change();
  }
  let drag = null;
  scroller.addEventListener('pointerdown', (event) => {
    if (event.pointerType === 'mouse' && event.button === 0) drag = { x: event.clientX, at: scroller.scrollLeft };
  });
  addEventListener('pointermove', (event) => {
    if (drag) {
      scroller.classList.add('drags');
      scroller.scrollLeft = drag.at - (event.clientX - drag.x);
    }
  });
  addEventListener('pointerup', () => { drag = null; scroller.classList.remove('drags'); });
  for (const link of all('a.place')) {
    link.addEventListener('click', () => show(Number(link.dataset.from), Number(link.dataset.to)));
  }
  for (const button of all('[data-copies]')) {
    button.addEventListener('click', async () => {
      const source = document.getElementById(button.dataset.copies);
      try {
        await navigator.clipboard.writeText(source.textContent);
        button.textContent = 'copied';
      } catch {
        getSelection().selectAllChildren(source);
      }
    });
  }

  // Descriptions: what a browser would show late, at once, and in the locks' rows too.
  const tip = document.createElement('div'), hair = document.createElement('div');
  tip.className = 'tip';
  hair.className = 'hair';
  tip.hidden = hair.hidden = true;
  document.body.append(tip);
  chart.append(hair);
  const said = new WeakMap();
  const description = (target) => {
    const hold = target.closest('[data-a]');
    for (let element = hold ? document.getElementById(`a${hold.dataset.a}`) : target; element && element !== chart; element = element.parentElement) {
      if (said.has(element)) return said.get(element);
      const title = one(':scope > title', element);
      if (title) {
        said.set(element, title.textContent);
        title.remove();
        return said.get(element);
      }
    }
    return null;
  };
  chart.addEventListener('pointermove', (event) => {
    const box = chart.getBoundingClientRect(), x = event.clientX - box.left;
    hair.hidden = event.clientX < scroller.getBoundingClientRect().left + left();
    hair.style.left = `${x}px`;
    if (hair.hidden) { tip.hidden = true; return; }
    const time = `${((x - left()) / plot() * span / 1e3).toFixed(3)} s`, text = description(event.target);
    tip.textContent = text === null ? time : `${text}\n${time} under the pointer`;
    tip.hidden = false;
    const room = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(4, Math.min(event.clientX + 14, innerWidth - room.width - 8))}px`;
    tip.style.top = `${event.clientY + 18 + room.height > innerHeight ? event.clientY - room.height - 10 : event.clientY + 18}px`;
  });
  chart.addEventListener('pointerleave', () => { tip.hidden = hair.hidden = true; });
  draw();
})();
