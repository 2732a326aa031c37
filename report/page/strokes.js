"use strict";
// Many straight lines as one mesh, two triangles a line; deck.gl's own lines are copies of one.

const STROKES_VERTEX = `\
#version 300 es
in vec3 positions;
in vec3 others;
in float sides;
in float widths;
in vec4 colours;
in vec3 pickingColors;
out vec4 vColor;

void main(void) {
  geometry.worldPosition = positions;
  geometry.pickingColor = pickingColors;
  if (hiding_behindEarth(positions) && hiding_behindEarth(others)) {
    gl_Position = HIDING_NOWHERE;
    return;
  }
  gl_Position = project_position_to_clipspace(positions, vec3(0.0), vec3(0.0), geometry.position);
  vec4 other = project_position_to_clipspace(others, vec3(0.0), vec3(0.0));
  vec2 along = (other.xy / other.w - gl_Position.xy / gl_Position.w) * project.viewportSize;
  vec2 across = vec2(-along.y, along.x) / max(length(along), 1e-6) * sides * widths / 2.0;
  gl_Position.xy += project_pixel_size_to_clipspace(across);
  vColor = colours;
  DECKGL_FILTER_COLOR(vColor, geometry);
}
`;

const STROKES_FRAGMENT = `\
#version 300 es
precision highp float;
in vec4 vColor;
out vec4 fragColor;

void main(void) {
  fragColor = vColor;
  DECKGL_FILTER_COLOR(fragColor, geometry);
}
`;

let StrokesLayer; // there once deck.gl is

function defineStrokes() {
  StrokesLayer = plainLayer("StrokesLayer", "triangle-list", { vs: STROKES_VERTEX, fs: STROKES_FRAGMENT }, {
    getPosition: { type: "accessor", value: [0, 0, 0] }, getOther: { type: "accessor", value: [0, 0, 0] },
    getSide: { type: "accessor", value: 0 }, getWidth: { type: "accessor", value: 1 },
    getColor: { type: "accessor", value: [255, 255, 255, 255] },
  }, {
    positions: { size: 3, accessor: "getPosition" }, others: { size: 3, accessor: "getOther" },
    sides: { size: 1, accessor: "getSide" }, widths: { size: 1, accessor: "getWidth" },
    colours: { size: 4, type: "unorm8", accessor: "getColor" },
  });
}

const CORNERS = 6; // of the two triangles of a line

// The same values, [L * size], for all corners of each of L lines.
function atCorners(values, size) {
  const all = new values.constructor(CORNERS * values.length);
  for (let i = 0; i < values.length; i += size) {
    for (let corner = 0; corner < CORNERS; corner++) {
      for (let j = 0; j < size; j++) all[CORNERS * i + size * corner + j] = values[i + j];
    }
  }
  return all;
}

// Data of lines between the points from[3 * i] and to[3 * i]; a pointer finds i.
function strokes(from, to) {
  const n = from.length / 3;
  const [positions, others] = [atCorners(from, 3), atCorners(to, 3)];
  const sides = new Float32Array(CORNERS * n);
  for (let i = 0; i < n; i++) {
    for (const corner of [2, 4, 5]) { // at the other end
      const at = 3 * (CORNERS * i + corner);
      for (let j = 0; j < 3; j++) [positions[at + j], others[at + j]] = [others[at + j], positions[at + j]];
    }
    sides.set([1, -1, 1, 1, 1, -1], CORNERS * i); // from there left is right
  }
  return {
    length: CORNERS * n,
    attributes: {
      getPosition: attribute(positions, 3), getOther: attribute(others, 3), getSide: attribute(sides, 1),
      getPickingColor: attribute(atCorners(pickingColours(n), 4), 4),
    },
  };
}

// Data of lines along paths, each a list of points.
function strokesAlong(paths) {
  const ends = paths.flatMap((path) => path.slice(1).map((point, i) => [path[i], point]));
  return strokes(...[0, 1].map((end) => new Float32Array(ends.flatMap((pair) => pair[end]))));
}
