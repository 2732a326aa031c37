"use strict";
// The Earth: a sphere with Natural Earth's picture on it, a graticule, and the circles in which stations hear.

const onSphere = (latitude, longitude, radius) => {
  const [a, b] = [(latitude * Math.PI) / 180, (longitude * Math.PI) / 180];
  return [radius * Math.cos(a) * Math.cos(b), radius * Math.cos(a) * Math.sin(b), radius * Math.sin(a)];
};

function graticule(radius) {
  const paths = [];
  for (let longitude = -180; longitude < 180; longitude += 30) {
    paths.push(Array.from({ length: 49 }, (_, i) => onSphere(-90 + i * 3.75, longitude, radius)));
  }
  for (let latitude = -60; latitude <= 60; latitude += 30) {
    paths.push(Array.from({ length: 97 }, (_, i) => onSphere(latitude, i * 3.75, radius)));
  }
  return paths;
}

// Circle on the ground from within which a satellite at `altitude` km is above `mask` degrees (spherical Earth).
function horizonCircle(station, mask, altitude) {
  const elevation = (mask * Math.PI) / 180;
  const reach = Math.acos((EARTH_KM / (EARTH_KM + altitude)) * Math.cos(elevation)) - elevation;
  const [a, b] = [(station.latitude_deg * Math.PI) / 180, (station.longitude_deg * Math.PI) / 180];
  return Array.from({ length: 73 }, (_, i) => {
    const bearing = (i * Math.PI) / 36;
    const latitude = Math.asin(Math.sin(a) * Math.cos(reach) + Math.cos(a) * Math.sin(reach) * Math.cos(bearing));
    const longitude = b + Math.atan2(
      Math.sin(bearing) * Math.sin(reach) * Math.cos(a),
      Math.cos(reach) - Math.sin(a) * Math.sin(latitude));
    return onSphere((latitude * 180) / Math.PI, (longitude * 180) / Math.PI, EARTH * 1.004);
  });
}

// Whether the Earth is between a point, on it or above, and the camera.
function behindEarth(point, camera) {
  const way = point.map((value, i) => value - camera[i]);
  const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
  const share = -dot(camera, way) / dot(way, way); // where the line of sight comes nearest to the middle of the Earth
  return share < 1 && dot(camera, camera) - share ** 2 * dot(way, way) < EARTH ** 2;
}

// For shaders of what is many: whether a point is so far behind the Earth that nothing around it can be seen either.
const HIDING = {
  name: "hiding",
  vs: `\
const vec4 HIDING_NOWHERE = vec4(2.0, 2.0, 2.0, 1.0);

bool hiding_behindEarth(vec3 point) {
  vec3 camera = project.cameraPosition;
  vec3 way = point - camera;
  float share = -dot(camera, way) / dot(way, way);
  return share < 1.0 && dot(camera, camera) - share * share * dot(way, way) < ${((0.95 * EARTH) ** 2).toFixed(1)};
}
`,
};

async function earthPicture(source) {
  const image = new Image();
  image.src = source;
  await image.decode();
  return createImageBitmap(image);
}
