"use strict";
// The Earth: one square that faces the camera, with a sphere worked out in every pixel.
//
// The square lies in the plane of the Earth's edge as the camera sees it. A point outside the Earth is hidden by it if and
// only if it is hidden by the disc in that plane: so everything else is hidden as by a sphere. Where `isClear()`, nothing is
// painted, but what is behind stays hidden; so it is from the pointer.

const BALL_UNIFORMS = `\
layout(std140) uniform ballUniforms {
  vec3 sun;
  float radius;
} ball;
`;
const BALL = {
  name: "ball", uniformTypes: { sun: "vec3<f32>", radius: "f32" },
  vs: BALL_UNIFORMS, fs: BALL_UNIFORMS,
};

const BALL_VERTEX = `\
#version 300 es
in vec2 corners;
out vec3 vPosition;
out vec2 vCorner;
flat out vec3 vCamera;

void main(void) {
  vCamera = project.cameraPosition;
  float away = length(vCamera);
  vec3 ahead = vCamera / away;
  vec3 right = normalize(cross(vec3(0.0, 0.0, 1.0), ahead));
  vec3 up = cross(ahead, right);
  float share = ball.radius / away;
  vCorner = corners * 1.01;
  vPosition = ball.radius * (ahead * share + sqrt(1.0 - share * share) * (right * vCorner.x + up * vCorner.y));
  gl_Position = project_common_position_to_clipspace(vec4(vPosition, 1.0));
}
`;

const BALL_FRAGMENT = `\
#version 300 es
precision highp float;
uniform sampler2D picture;
in vec3 vPosition;
in vec2 vCorner;
flat in vec3 vCamera;
out vec4 fragColor;

const float PI = 3.14159265;
const float AMBIENT = 0.5625; // shares of the ground's colour: light from everywhere,
const float DIFFUSE = 0.4125; // and from the sun where it stands upright
const vec3 GLOSS = vec3(0.059, 0.071, 0.088);

void main(void) {
  float edge = length(vCorner);
  float cover = clamp((1.0 - edge) / fwidth(edge) + 0.5, 0.0, 1.0);
  if (cover == 0.0) discard;
  vec3 sight = normalize(vPosition - vCamera);
  float nearest = -dot(vCamera, sight);
  float inside = max(ball.radius * ball.radius - dot(vCamera, vCamera) + nearest * nearest, 0.0);
  vec3 normal = (vCamera + (nearest - sqrt(inside)) * sight) / ball.radius;
  vec2 place = vec2(0.5 + atan(normal.y, normal.x) / (2.0 * PI), 0.5 - asin(clamp(normal.z, -1.0, 1.0)) / PI);
  vec3 ground = textureLod(picture, place, 0.0).rgb;
  float day = max(dot(normal, ball.sun), 0.0);
  float gloss = day > 0.0 ? pow(max(dot(normal, normalize(ball.sun - sight)), 0.0), 8.0) : 0.0;
  fragColor = vec4(ground * (AMBIENT + DIFFUSE * day) + GLOSS * gloss, cover);
}
`;

// Nothing has a shader of its own: with a branch in the other, frames took a tenth longer where the processor paints.
const BALL_NOTHING = `\
#version 300 es
precision highp float;
in vec2 vCorner;
out vec4 fragColor;

void main(void) {
  if (length(vCorner) > 1.0) discard;
  fragColor = vec4(0.0);
}
`;

let BallLayer; // there once deck.gl is

function defineBall() {
  BallLayer = class extends deck.Layer {
    static layerName = "BallLayer";
    static defaultProps = {
      picture: { type: "image", value: null, async: true }, sun: { type: "array", value: [1, 0, 0], compare: true },
      radius: 1, isClear: { type: "function", value: () => false, compare: false },
    };

    getShaders(fs) {
      return super.getShaders({ vs: BALL_VERTEX, fs, modules: [deck.project32, BALL] });
    }

    initializeState() {
      this.getAttributeManager().remove(["instancePickingColors"]);
      this.state.models = [BALL_FRAGMENT, BALL_NOTHING].map((fs, i) => new luma.Model(this.context.device, {
        ...this.getShaders(fs), id: `${this.props.id}-${i}`, isInstanced: false,
        geometry: new luma.Geometry({
          topology: "triangle-strip",
          attributes: { corners: { value: new Float32Array([-1, -1, 1, -1, -1, 1, 1, 1]), size: 2 } },
        }),
      }));
    }

    draw({ shaderModuleProps }) {
      const { picture, sun, radius, isClear } = this.props;
      if (!picture) return;
      const [painted, nothing] = this.state.models;
      const model = isClear() || shaderModuleProps?.picking?.isActive ? nothing : painted;
      if (model === painted) model.setBindings({ picture });
      model.shaderInputs.setProps({ ball: { sun, radius } });
      model.draw(this.context.renderPass);
    }
  };
}
