/** The shaders of the picture areas and of the mesh (GLSL ES 3.00; three.js adds the version line and precision). */

/** Node attributes shared by everything that is drawn of the mesh. `as_filmed` scales the deviation into the position. */
const NODE = /* glsl */ `
in vec3 simulated;
in vec3 deviation;
in float sigma;
in float plastic;
in float seen;
uniform mat4 modelViewMatrix;
uniform mat4 projectionMatrix;
uniform float as_filmed;
vec4 at_view() { return modelViewMatrix * vec4(simulated + as_filmed * deviation, 1.0); }
`;

export const SURFACE_VERTEX = /* glsl */ `${NODE}
uniform int quantity;
invariant gl_Position;
out float value;
out float measured;
out float estimated;
out vec3 place;
void main() {
  vec4 view = at_view();
  place = view.xyz;
  measured = sigma >= 0.0 ? 1.0 : 0.0;
  value = quantity == 0 ? length(deviation) : quantity <= 3 ? deviation[quantity - 1] : quantity == 4 ? sigma : plastic;
  estimated = 1.0 - seen;
  // The strain is the simulation's own.
  if (quantity == 5) { measured = 1.0; estimated = 0.0; }
  gl_Position = projectionMatrix * view;
}`;

/**
 * Colours by value with a line at the tolerance; pale and striped where no camera saw the surface and the value is estimated,
 * hatched grey where nothing is known; dims parts that are not selected.
 */
export const SURFACE_FRAGMENT = /* glsl */ `
precision highp float;
uniform sampler2D table;
uniform vec2 range;
uniform float tolerance;
uniform float opacity;
uniform float shade;
uniform float dim;
uniform float bands;
uniform vec3 ground;
uniform float pixel;
in float value;
in float measured;
in float estimated;
in vec3 place;
out vec4 colour;
void main() {
  vec3 across = cross(dFdx(place), dFdy(place));
  float light = mix(1.0, 0.5 + 0.5 * abs(across.z) / max(length(across), 1e-12), shade);
  float share = clamp((value - range.x) / (range.y - range.x), 0.0, 1.0);
  if (bands > 0.0) share = min((floor(share * bands) + 0.5) / bands, 1.0);
  vec3 paint = texture(table, vec2((share * 255.0 + 0.5) / 256.0, 0.5)).rgb;
  float alpha = opacity;
  float steep = fwidth(value);
  if (tolerance > 0.0 && measured > 0.999) {
    float away = abs(abs(value) - tolerance) / max(steep, 1e-6);
    float line = 1.0 - smoothstep(0.6 * pixel, 1.3 * pixel, away);
    float ink = dot(paint, vec3(0.299, 0.587, 0.114)) > 0.45 ? 0.05 : 0.97;
    paint = mix(paint, vec3(ink), line);
    alpha = max(alpha, line * max(opacity, 0.6));
  }
  if (estimated > 0.5) {
    float gap = step(0.45, fract((gl_FragCoord.x - gl_FragCoord.y) / (8.0 * pixel)));
    paint = mix(paint, ground, mix(0.2, 0.7, gap));
    alpha *= mix(0.75, 0.3 + 0.7 * step(0.999, opacity), gap);
  }
  if (measured < 0.999) {
    float stripe = step(0.5, fract((gl_FragCoord.x + gl_FragCoord.y) / (7.0 * pixel)));
    paint = mix(vec3(0.42), vec3(0.58), stripe);
    alpha = opacity * mix(0.35, 0.75, stripe);
  }
  paint *= light;
  paint = mix(paint, ground * mix(0.75, 1.0, light), dim * 0.85);
  colour = vec4(paint, alpha * (1.0 - 0.6 * dim * (1.0 - step(0.999, opacity))));
}`;

export const EDGE_VERTEX = /* glsl */ `${NODE}
void main() {
  // Nearer by a little along the line of sight: the place in the picture stays.
  gl_Position = projectionMatrix * vec4(at_view().xyz * 0.9993, 1.0);
}`;

export const EDGE_FRAGMENT = /* glsl */ `
precision highp float;
uniform vec4 ink;
out vec4 colour;
void main() { colour = ink; }`;

/** The number of a node of the triangle under the pointer, as four bytes, plus one (0 is "nothing"). */
export const PICK_VERTEX = /* glsl */ `${NODE}
flat out uint node;
void main() {
  node = uint(gl_VertexID) + 1u;
  gl_Position = projectionMatrix * at_view();
}`;

export const PICK_FRAGMENT = /* glsl */ `
precision highp float;
flat in uint node;
out vec4 colour;
void main() {
  colour = vec4(float(node & 255u), float((node >> 8) & 255u), float((node >> 16) & 255u), float(node >> 24)) / 255.0;
}`;

/**
 * Lines of a width in pixels with a dark rim on both sides, so that they show on any ground: each vertex is a
 * corner of the rectangle of one edge. `style`: 0 plain, 1 dashed (cannot tell), 2 selected. Where no camera saw the edge
 * it is a faint row of dots.
 */
export const RIM_VERTEX = /* glsl */ `
in vec3 position;
in vec3 from;
in vec3 from_deviation;
in vec3 to;
in vec3 to_deviation;
in float style;
in float seen;
uniform float as_filmed;
uniform mat4 modelViewMatrix;
uniform mat4 projectionMatrix;
uniform vec2 size;
uniform float pixel;
out float along;
out float across;
flat out float half_width;
flat out float kind;
flat out float shown;
void main() {
  vec4 a = projectionMatrix * vec4((modelViewMatrix * vec4(from + as_filmed * from_deviation, 1.0)).xyz * 0.998, 1.0);
  vec4 b = projectionMatrix * vec4((modelViewMatrix * vec4(to + as_filmed * to_deviation, 1.0)).xyz * 0.998, 1.0);
  vec2 pa = a.xy / a.w * size * 0.5;
  vec2 pb = b.xy / b.w * size * 0.5;
  vec2 way = pb - pa;
  float length_px = length(way);
  way = length_px > 1e-4 ? way / length_px : vec2(1.0, 0.0);
  kind = style;
  shown = seen;
  half_width = (seen < 0.5 ? 1.2 : style > 1.5 ? 2.6 : 1.7) * pixel;
  across = position.y * half_width;
  vec2 corner = vec2(-way.y, way.x) * across + way * (position.x - 0.5) * half_width;
  along = dot(position.x < 0.5 ? pa : pb, vec2(0.7071));
  gl_Position = position.x < 0.5 ? a : b;
  gl_Position.xy += corner / (size * 0.5) * gl_Position.w;
  // The selected one lies over the others.
  if (style > 1.5) gl_Position.z -= 1e-5 * gl_Position.w;
}`;

export const RIM_FRAGMENT = /* glsl */ `
precision highp float;
uniform vec3 ink;
uniform float pixel;
in float along;
in float across;
flat in float half_width;
flat in float kind;
flat in float shown;
out vec4 colour;
void main() {
  if (shown < 0.5) {
    if (fract(along / (6.0 * pixel)) > 0.4) discard;
    colour = vec4(kind > 1.5 ? ink : vec3(1.0), kind > 1.5 ? 0.8 : 0.45);
    return;
  }
  if (kind > 0.5 && kind < 1.5 && fract(along / (9.0 * pixel)) > 0.6) discard;
  bool core = abs(across) < half_width - 0.9 * pixel;
  colour = core ? vec4(kind > 1.5 ? ink : vec3(1.0), 1.0) : vec4(0.0, 0.0, 0.0, 0.65);
}`;

/**
 * The surface with the look that it had in the first picture. `there` is where the same material point was seen then;
 * the depth of that moment tells whether it was seen at all. Upside down, because pictures begin at their top.
 */
export const CARRIED_VERTEX = /* glsl */ `
in vec3 simulated;
in vec3 rest;
uniform mat4 modelViewMatrix;
uniform mat4 projectionMatrix;
uniform float at_rest;
out vec4 there;
void main() {
  there = projectionMatrix * modelViewMatrix * vec4(rest, 1.0);
  gl_Position = at_rest > 0.5 ? there : projectionMatrix * modelViewMatrix * vec4(simulated, 1.0);
}`;

export const CARRIED_FRAGMENT = /* glsl */ `
precision highp float;
uniform sampler2D first;
uniform highp sampler2D depth;
uniform vec2 reach;
in vec4 there;
out vec4 colour;
float away(float share) { return reach.x * reach.y / (reach.y - share * (reach.y - reach.x)); }
void main() {
  vec3 place = there.xyz / there.w * 0.5 + 0.5;
  if (any(lessThan(place.xy, vec2(0.0))) || any(greaterThan(place.xy, vec2(1.0)))) discard;
  float seen = away(texture(depth, place.xy).r);
  float here = away(place.z);
  if (here > seen + 1.5 + 0.003 * here) discard;
  colour = vec4(texture(first, place.xy).rgb, 1.0);
}`;

/** The first picture as it is, for what the mesh does not cover. */
export const GROUND_FRAGMENT = /* glsl */ `
precision highp float;
uniform sampler2D first;
in vec2 place;
out vec4 colour;
void main() { colour = vec4(texture(first, place).rgb, 1.0); }`;

/** One triangle over the pane; `window` is the part of the lens-free canvas that the pane shows, px. */
export const PICTURE_VERTEX = /* glsl */ `
in vec3 position;
out vec2 place;
void main() {
  place = position.xy * 0.5 + 0.5;
  gl_Position = vec4(position.xy, 0.999, 1.0);
}`;

export const PICTURE_FRAGMENT = /* glsl */ `
precision highp float;
uniform sampler2D film;
uniform sampler2D predicted;
uniform vec2 has;
uniform vec4 window;
uniform vec2 canvas;
uniform vec3 ground;
/** Share of the predicted picture: left of the wipe and right of it. */
uniform vec2 mixing;
uniform float wipe;
in vec2 place;
out vec4 colour;
void main() {
  vec2 pixel = vec2(mix(window.x, window.z, place.x), mix(window.w, window.y, place.y)) + 0.5;
  vec2 uv = pixel / canvas;
  if (any(lessThan(uv, vec2(0.0))) || any(greaterThan(uv, vec2(1.0)))) { colour = vec4(ground, 1.0); return; }
  vec3 real = has.x > 0.5 ? texture(film, uv).rgb : ground;
  float share = uv.x < wipe ? mixing.x : mixing.y;
  if (share > 0.0 && has.y > 0.5) real = mix(real, texture(predicted, uv).rgb, share);
  colour = vec4(real, 1.0);
}`;
