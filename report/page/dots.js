"use strict";
// Many round dots, each drawn as one point; like the lines of `strokes.js` cheap where the processor paints.

const DOTS_VERTEX = `\
#version 300 es
in vec3 positions;
in float radii;
in vec4 colours;
in vec3 pickingColors;
out vec4 vColor;
out float vRadius;

void main(void) {
  geometry.worldPosition = positions;
  geometry.pickingColor = pickingColors;
  if (hiding_behindEarth(positions)) {
    gl_Position = HIDING_NOWHERE;
    return;
  }
  gl_Position = project_position_to_clipspace(positions, vec3(0.0), vec3(0.0), geometry.position);
  vRadius = radii * project.devicePixelRatio * project.focalDistance / gl_Position.w;
  gl_PointSize = 2.0 * vRadius + 1.0;
  vColor = colours;
  DECKGL_FILTER_COLOR(vColor, geometry);
}
`;

const DOTS_FRAGMENT = `\
#version 300 es
precision highp float;
in vec4 vColor;
in float vRadius;
out vec4 fragColor;

void main(void) {
  float fromMiddle = length(gl_PointCoord - 0.5) * (2.0 * vRadius + 1.0);
  float cover = 1.0 - smoothstep(vRadius - 0.5, vRadius + 0.5, fromMiddle);
  if (cover == 0.0) discard;
  fragColor = vec4(vColor.rgb, vColor.a * cover);
  DECKGL_FILTER_COLOR(fragColor, geometry);
}
`;

let DotsLayer; // there once deck.gl is

function defineDots() {
  DotsLayer = plainLayer("DotsLayer", "point-list", { vs: DOTS_VERTEX, fs: DOTS_FRAGMENT }, {
    getPosition: { type: "accessor", value: [0, 0, 0] }, getRadius: { type: "accessor", value: 1 },
    getFillColor: { type: "accessor", value: [0, 0, 0, 255] },
  }, {
    positions: { size: 3, accessor: "getPosition" }, radii: { size: 1, accessor: "getRadius" },
    colours: { size: 4, type: "unorm8", accessor: "getFillColor" },
  });
}
