"use strict";
// Bokeh figures: drawn when they come near the screen, in the colours of the theme.

const drawnDocuments = [];

function paintPlots() {
  const ink = cssColour("--ink-soft");
  const faint = cssColour("--line");
  for (const document_ of drawnDocuments) {
    for (const root of document_.roots()) {
      root.background_fill_color = root.border_fill_color = null;
      root.outline_line_color = faint;
      for (const axis of [...root.below, ...root.left].filter((part) => "axis_label" in part)) {
        axis.axis_label_text_color = axis.major_label_text_color = ink;
        axis.axis_line_color = axis.major_tick_line_color = axis.minor_tick_line_color = faint;
        axis.axis_label_text_font_style = "normal";
      }
      for (const part of root.center.filter((one) => "grid_line_color" in one)) part.grid_line_color = faint;
      for (const part of legendsOf(root)) {
        part.label_text_color = ink;
        part.background_fill_color = null;
        part.inactive_fill_color = cssColour("--ground");
      }
    }
  }
}

const legendsOf = (root) => [...root.right, ...root.below].filter((part) => "label_text_color" in part);

const NARROW_PX = 600;

// A legend beside a plot takes the room of the plot where there is little: then it stands below. A change to the stored
// figure, before it is drawn: `attributes` are those of Bokeh's model.
function moveLegendsBelow({ attributes }) {
  const legends = (attributes.right ?? []).filter((part) => part.name === "Legend");
  attributes.right = (attributes.right ?? []).filter((part) => !legends.includes(part));
  attributes.below = [...(attributes.below ?? []), ...legends];
  for (const legend of legends) {
    legend.attributes.ncols = 2;
    attributes.height += 12 * legend.attributes.items.length + 12;
  }
}

async function drawPlot(element, item) {
  element.dataset.drawn = "drawing";
  if (element.clientWidth < NARROW_PX) item.doc.roots.forEach(moveLegendsBelow);
  const manager = await Bokeh.embed.embed_item(item, element);
  drawnDocuments.push(manager.roots[0].model.document);
  paintPlots();
  element.dataset.drawn = "yes";
}

function startPlots(items) {
  const observer = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((one) => one.isIntersecting)) {
      observer.unobserve(entry.target);
      drawPlot(entry.target, items[entry.target.id]);
    }
  }, { rootMargin: "600px" });
  for (const id of Object.keys(items)) observer.observe(document.getElementById(id));
  document.addEventListener("themechange", paintPlots);
}
