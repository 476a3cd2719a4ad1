// Looks at the page from within, closed and with all tables open, and writes what is wrong
// into the page that frames it.
(function () {
  const seen = { width: innerWidth, texts: 0, overlaps: [], cut: [], wide: [], resources: [] };
  const hidden = (element) => element.closest("caption, #summary > h2, title, desc, style, script");

  // The boxes of all texts that are seen, each with the element that it is in.
  function boxes() {
    const found = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      if (!node.data.trim() || hidden(node.parentElement)) continue;
      const range = document.createRange();
      range.selectNodeContents(node);
      const own = node.parentElement.closest("svg") ? [node.parentElement.getBoundingClientRect()] : range.getClientRects();
      for (const box of own) {
        if (box.width > 0 && box.height > 0) found.push({ box, node });
      }
    }
    return found;
  }

  function look() {
    const found = boxes();
    seen.texts += found.length;
    found.sort((one, other) => one.box.top - other.box.top);
    for (let index = 0; index < found.length; index++) {
      const one = found[index];
      for (let next = index + 1; next < found.length && found[next].box.top < one.box.bottom - 3; next++) {
        const other = found[next];
        const width = Math.min(one.box.right, other.box.right) - Math.max(one.box.left, other.box.left);
        // What is scrolled within a box of its own is clipped there.
        const scrolled = one.node.parentElement.closest(".scroll") !== other.node.parentElement.closest(".scroll");
        if (width > 1 && one.node !== other.node && !scrolled) {
          seen.overlaps.push(one.node.data.trim() + " / " + other.node.data.trim());
        }
      }
      const svg = one.node.parentElement.closest("svg");
      if (svg) {
        const frame = svg.getBoundingClientRect();
        if (one.box.left < frame.left - 0.5 || one.box.right > frame.right + 0.5 || one.box.bottom > frame.bottom + 0.5) {
          seen.cut.push(one.node.data.trim());
        }
      } else if (one.box.right > innerWidth && !one.node.parentElement.closest(".scroll")) {
        seen.cut.push(one.node.data.trim());
      }
    }
    const width = document.documentElement.scrollWidth;
    if (width > innerWidth) seen.wide.push(width);
  }

  look();
  document.querySelectorAll("details").forEach((details) => { details.open = true; });
  look();
  seen.resources = performance.getEntriesByType("resource").map((entry) => entry.name);
  const pre = document.createElement("pre");
  pre.id = "seen";
  pre.textContent = JSON.stringify(seen);
  parent.document.body.appendChild(pre);
})();
