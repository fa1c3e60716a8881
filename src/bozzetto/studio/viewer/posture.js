// The twin of bozzetto/body/poses.py: what a posture's angles turn. A test compares the two, turn by turn.

const turn = (axis, degrees) => {
  const half = (degrees * Math.PI) / 360, s = Math.sin(half);
  return [Math.cos(half), axis === "x" ? s : 0, axis === "y" ? s : 0, axis === "z" ? s : 0];
};
const times = ([w, x, y, z], [a, b, c, d]) => [
  w * a - x * b - y * c - z * d, w * b + x * a + y * d - z * c, w * c - x * d + y * a + z * b, w * d + x * c - y * b + z * a,
];
const then = (...turns) => turns.reduce(times); // the last acts first
const clamp = (value, least, most) => Math.min(Math.max(value, least), most);

// World-axis turns (wxyz) of joints relative to the T-pose. Angles in degrees by name ("nod", "left_arm.elbow"); those
// not named are zero.
export function rotations(angles) {
  const at = (part) => (name) => angles[part ? `${part}.${name}` : name] ?? 0;
  const out = {};
  for (const [side, word, sign] of [["L", "left", 1], ["R", "right", -1]]) {
    Object.assign(out, arm(at(`${word}_arm`), side, sign), leg(at(`${word}_leg`), side, sign));
  }
  const whole = at("");
  for (const [bones, forward, aside, around] of [
    [["spine05", "spine04", "spine03", "spine02", "spine01"], "bend", "lean", "twist"],
    [["neck01", "neck02", "neck03", "head"], "nod", "tilt", "turn"],
  ]) {
    const share = (name) => whole(name) / bones.length;
    for (const bone of bones) out[bone] = then(turn("y", share(around)), turn("z", -share(aside)), turn("x", share(forward)));
  }
  out.root = turn("x", whole("pitch"));
  return out;
}

function leg(angle, side, sign) {
  const thigh = then(turn("x", -angle("flex")), turn("z", sign * angle("out")), turn("y", sign * angle("turn")));
  const knee = turn("x", angle("knee"));
  // A sole on the floor does not tilt sideways.
  const [w, x, y, z] = then(thigh, knee);
  const across = 2 * (x * y + w * z), upright = 1 - 2 * (x * x + z * z);
  const floor = upright > 0 ? clamp((65 - Math.abs(angle("knee") - angle("flex") + angle("foot"))) / 30, 0, 1) : 0;
  const ankle = clamp((Math.atan2(-across, upright) * 180) / Math.PI, -25, 25) * floor;
  return { [`upperleg01.${side}`]: thigh, [`lowerleg01.${side}`]: knee, [`foot.${side}`]: then(turn("z", ankle), turn("x", angle("foot"))) };
}

function arm(angle, side, sign) {
  const down = angle("down"), curl = angle("curl");
  const lift = clamp(-down * 0.3, 0, 22) - clamp(down * 0.03, 0, 3); // the collar bone's part
  const half = turn("x", -angle("twist") * 0.5);
  const out = {
    [`clavicle.${side}`]: turn("z", sign * lift),
    [`upperarm01.${side}`]: then(
      turn("z", -sign * lift), turn("x", -angle("swing")), turn("y", -sign * angle("forward")), turn("z", -sign * down), half,
    ),
    [`upperarm02.${side}`]: half,
    [`lowerarm01.${side}`]: turn("y", -sign * angle("elbow")),
    [`lowerarm02.${side}`]: turn("x", -angle("roll") * 0.6),
    [`wrist.${side}`]: then(turn("x", -angle("roll") * 0.4), turn("y", -sign * angle("aside")), turn("z", -sign * angle("wrist"))),
  };
  for (const finger of [2, 3, 4, 5]) {
    const bent = clamp(curl + (finger === 2 ? angle("index") : 0), -15, 85) * (0.85 + 0.08 * finger - 0.16);
    for (const [bone, part] of [[1, 0.9], [2, 1.1], [3, 0.8]]) out[`finger${finger}-${bone}.${side}`] = turn("z", -sign * bent * part);
  }
  const fist = clamp((curl - 45) / 25, 0, 1), flat = clamp(-curl / 12, 0, 1);
  for (const [bone, part, across, under] of [[1, 0.25, 37, -1], [2, 0.35, 27, 5], [3, 0.4, 4, -21]]) {
    const open = Math.max(curl, 0) * part * (1 - fist);
    const closed = then(turn("y", sign * (open + across * fist)), turn("z", -sign * (open * 0.5 + under * fist)));
    out[`finger1-${bone}.${side}`] = bone === 1 ? then(turn("x", -33 * flat), turn("z", sign * 19 * flat), closed) : closed;
  }
  return out;
}
