// The viewer of index.html and of "bozzetto view": one character, from a GLB that the page carries or a server gives.
// What a program may want of it stands on window.bozzetto. "npm run build" bundles it with three.js.
import {
  AnimationMixer, Box3, CanvasTexture, DirectionalLight, LoopRepeat, Mesh, MeshBasicMaterial, NeutralToneMapping,
  PerspectiveCamera, PlaneGeometry, PMREMGenerator, Scene, SkeletonHelper, Spherical, Vector3, WebGLRenderer,
} from "three";
import { OrbitControls } from "three/addons/controls/OrbitControls.js";
import { RoomEnvironment } from "three/addons/environments/RoomEnvironment.js";
import { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";
import { rotations } from "./posture.js";

const $ = (id) => document.getElementById(id);
const settings = JSON.parse($("settings").textContent);
const stage = $("stage"), canvas = stage.querySelector("canvas");
const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
const GROUPS = { brow: "Brows", eye: "Eyes", cheek: "Cheeks", nose: "Nose", jaw: "Jaw", mouth: "Mouth", tongue: "Tongue" };
const ARM = {
  down: "Raise", swing: "Swing", forward: "Forward", twist: "Twist", elbow: "Elbow", roll: "Forearm", wrist: "Wrist", aside: "Hand aside",
  curl: "Fingers", index: "Index finger",
};
const LEG = { flex: "Raise", out: "Spread", turn: "Turn out", knee: "Knee", foot: "Toes down" };
const LIMBS = {
  Head: ["", { turn: "Turn", nod: "Nod", tilt: "Tilt" }],
  Trunk: ["", { bend: "Bend", lean: "Lean", twist: "Twist", pitch: "Lie down" }],
  "Left arm": ["left_arm.", ARM], "Right arm": ["right_arm.", ARM], "Left leg": ["left_leg.", LEG], "Right leg": ["right_leg.", LEG],
}; // groups of sliders, by what the angles are called
const FIELD_OF_VIEW = 26;

// ------------------------------------------------------------------------------------------------ words and theme

const words = (name) => name.replace(/([a-z])([A-Z])/g, "$1 $2").replace(/[_-]/g, " ").toLowerCase();
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
const sided = (name) => capital(words(name.replace(/(Left|Right)$/, ""))) + (/Left$/.test(name) ? ", left" : /Right$/.test(name) ? ", right" : "");
const twin = (name) => name.replace(/(Left|Right)$/, (side) => (side === "Left" ? "Right" : "Left"));

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function dress(dark) {
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  $("theme").setAttribute("aria-pressed", dark);
}
dress(matchMedia("(prefers-color-scheme: dark)").matches);
$("theme").onclick = () => dress(document.documentElement.dataset.theme !== "dark");
$("fold").onclick = () => $("fold").setAttribute("aria-expanded", !document.body.classList.toggle("folded"));

function tell(title, text) {
  $("message").replaceChildren(element("strong", { textContent: title }), element("p", { textContent: text }));
  $("message").hidden = false;
}

let hush;
function toast(text, seconds) {
  clearTimeout(hush);
  $("busy").textContent = text;
  $("busy").hidden = !text;
  if (seconds) hush = setTimeout(() => ($("busy").hidden = true), 1000 * seconds);
}

// ------------------------------------------------------------------------------------------------------ the stage

let renderer, scene, camera, controls, mixer, ground;
let character = null; // { root, meshes, joints, rest, clips, box, high }
let action = null, chosen = "", helper = null, dirty = true, last = 0, spinning = false;
const face = {}; // what the sliders say, by expression
const angles = {}; // what sets the sliders of the posture, by angle
let begun = settings.poses.standing ? "pose:standing" : ""; // the pose that the sliders started from
let posture = { ...settings.poses.standing }; // degrees, by angle
const off = new Set(); // layers that are hidden

function build() {
  renderer = new WebGLRenderer({ canvas, antialias: true, alpha: true });
  renderer.setPixelRatio(Math.min(devicePixelRatio, 2));
  renderer.toneMapping = NeutralToneMapping;
  scene = new Scene();
  scene.environment = new PMREMGenerator(renderer).fromScene(new RoomEnvironment(), 0.04, 0.1, 100, { size: 64 }).texture; // small: phones make it too
  scene.environmentIntensity = 0.75;
  const key = new DirectionalLight(0xfff4e8, 1.3), rim = new DirectionalLight(0xdfeaff, 0.7);
  key.position.set(1.6, 3, 2.6);
  rim.position.set(-2, 2.4, -2.4);
  scene.add(key, rim);
  ground = new Mesh(
    new PlaneGeometry(1.7, 1.7).rotateX(-Math.PI / 2),
    new MeshBasicMaterial({ map: contact(), transparent: true, depthWrite: false, toneMapped: false }),
  );
  ground.renderOrder = -1;
  scene.add(ground);
  camera = new PerspectiveCamera(FIELD_OF_VIEW, 1, 0.03, 60);
  controls = new OrbitControls(camera, canvas);
  Object.assign(controls, { enableDamping: true, dampingFactor: 0.12, minDistance: 0.2, maxDistance: 20, zoomSpeed: 0.9, autoRotateSpeed: 2.2 });
  controls.addEventListener("change", draw);
  controls.addEventListener("start", () => (camera.userData.view = ""));
  new ResizeObserver(fit).observe(stage);
  requestAnimationFrame(tick);
}

// A soft shadow below the feet.
function contact() {
  const picture = element("canvas", { width: 128, height: 128 });
  const paint = picture.getContext("2d"), fade = paint.createRadialGradient(64, 64, 4, 64, 64, 62);
  fade.addColorStop(0, "rgba(20,12,6,.5)");
  fade.addColorStop(0.35, "rgba(20,12,6,.2)");
  fade.addColorStop(1, "rgba(20,12,6,0)");
  paint.fillStyle = fade;
  paint.fillRect(0, 0, 128, 128);
  return new CanvasTexture(picture);
}

function fit() {
  const { clientWidth: width, clientHeight: height } = stage;
  if (!width || !height) return;
  renderer.setSize(width, height, false);
  camera.aspect = width / height;
  camera.updateProjectionMatrix();
  if (character && camera.userData.view) look(camera.userData.view);
  draw();
}

const draw = () => (dirty = true);

function tick(now) {
  requestAnimationFrame(tick);
  const passed = Math.min((now - last) / 1000, 0.1);
  last = now;
  controls.autoRotate = spinning;
  controls.update(passed);
  if (character && action && !action.paused) {
    mixer.update(passed);
    dirty = true;
  }
  if (!dirty) return;
  dirty = false;
  renderer.render(scene, camera);
}

// ---------------------------------------------------------------------------------------------------- the character

async function open(buffer) {
  const gltf = await new GLTFLoader().parseAsync(buffer, "");
  const old = character;
  const meshes = [];
  gltf.scene.traverse((each) => {
    each.frustumCulled = false; // a skinned mesh moves out of the box it was born in
    if (each.isMesh) meshes.push(each);
  });
  const skinned = meshes.find((mesh) => mesh.isSkinnedMesh);
  const joints = skinned ? skinned.skeleton.bones : [];
  character = {
    root: gltf.scene, meshes, joints, clips: gltf.animations, asset: gltf.asset,
    rest: joints.map((joint) => [joint.position.clone(), joint.quaternion.clone()]),
    resting: {},
  };
  for (const mesh of meshes) {
    for (const [name, index] of Object.entries(mesh.morphTargetDictionary ?? {})) {
      character.resting[name] = mesh.morphTargetInfluences[index];
    }
  }
  character.expressions = Object.keys(character.resting);
  if (old) {
    scene.remove(old.root);
    old.meshes.forEach((mesh) => {
      mesh.geometry.dispose();
      for (const value of Object.values(mesh.material)) value?.isTexture && value.dispose();
      mesh.material.dispose();
    });
    mixer.uncacheRoot(old.root);
    action = null;
  }
  scene.add(character.root);
  character.root.updateMatrixWorld(true);
  const box = new Box3().setFromObject(character.root, true);
  Object.assign(character, { box, high: box.max.y });
  mixer = new AnimationMixer(character.root);
  for (const name of character.expressions) face[name] ??= character.resting[name];
  shape();
  layered();
  if (helper) skeleton(true);
  $("wireframe").onchange();
  facts();
  if (old) {
    move(chosen);
    if (camera.userData.view) look(camera.userData.view);
  }
  draw();
}

const joint = (name) => character.joints[settings.joints.indexOf(name)];

function eyesAt() {
  const found = ["eye.L", "eye.R"].map(joint).filter(Boolean);
  if (!found.length) return null;
  return found.reduce((sum, bone) => sum.add(bone.getWorldPosition(new Vector3())), new Vector3()).divideScalar(found.length);
}

function facts() {
  const triangles = character.meshes.reduce((sum, mesh) => sum + (mesh.geometry.index?.count ?? mesh.geometry.attributes.position.count) / 3, 0);
  const parts = [`${character.high.toFixed(2)} m`, `${Math.round(triangles).toLocaleString("en")} triangles`];
  if (character.joints.length > 1) parts.push(`${character.joints.length} joints`);
  $("facts").textContent = parts.join(" · ");
}

// The face as the sliders say.
function shape() {
  for (const mesh of character.meshes) {
    for (const [name, index] of Object.entries(mesh.morphTargetDictionary ?? {})) mesh.morphTargetInfluences[index] = face[name] ?? 0;
  }
  draw();
}

function layered() {
  for (const mesh of character.meshes) mesh.visible = !off.has(mesh.name);
  draw();
}

function still() {
  mixer.stopAllAction();
  action = null;
  character.joints.forEach((bone, index) => {
    bone.position.copy(character.rest[index][0]);
    bone.quaternion.copy(character.rest[index][1]);
  });
  character.root.position.y = 0;
  shape();
}

// The joints as the posture says, and the character on the ground.
function assume(stride = 1) {
  for (const [turned, [w, x, y, z]] of Object.entries(rotations(posture))) joint(turned)?.quaternion.set(x, y, z, w);
  character.root.position.y = 0;
  character.root.updateMatrixWorld(true);
  character.root.position.y = -lowest(stride);
  for (const [name, set] of Object.entries(angles)) set(posture[name] ?? 0);
}

// Of every so many vertices.
function lowest(stride) {
  const point = new Vector3();
  let low = Infinity;
  for (const mesh of character.meshes) {
    for (let index = 0; index < mesh.geometry.attributes.position.count; index += stride) {
      low = Math.min(low, mesh.localToWorld(mesh.getVertexPosition(index, point)).y);
    }
  }
  return low;
}

function bend(changes) {
  Object.assign(posture, changes);
  if (chosen !== "own") move("own");
  else assume(12); // quick, while a slider is dragged
  draw();
}

// A clip ("clip:walk"), a pose ("pose:sitting"), the rest pose (""), or what the sliders say ("own").
function move(what) {
  chosen = what;
  const kind = what.split(":")[0], name = what.slice(kind.length + 1);
  still();
  if (kind === "clip") {
    const clip = character.clips.find((each) => each.name === name);
    if (clip) {
      action = mixer.clipAction(clip).setLoop(LoopRepeat, Infinity);
      action.play();
      mixer.update(0);
      pace();
    }
  } else {
    if (kind !== "own") [begun, posture] = [what, { ...settings.poses[name] }];
    assume();
    if (kind !== "own" && camera.userData.view) look(camera.userData.view);
  }
  for (const chip of $("clips").children) chip.setAttribute("aria-pressed", chip.value === what);
  $("pose").value = kind === "pose" ? what : "";
  $("pace").hidden = kind !== "clip";
  draw();
}

function pace() {
  const speed = Number($("speed").value);
  $("speed").nextElementSibling.textContent = speed.toFixed(2);
  if (action) action.timeScale = speed;
}

function pause() {
  if (action) action.paused = !action.paused;
  else if (character.clips.length) move(`clip:${character.clips[0].name}`);
}

function skeleton(shown) {
  if (helper) {
    scene.remove(helper);
    helper.dispose();
  }
  helper = shown ? new SkeletonHelper(character.root) : null;
  if (helper) {
    helper.setColors?.(helper.material.color.clone().set(0xd9622b), helper.material.color.clone().set(0xf2b43c));
    Object.assign(helper.material, { depthTest: false, transparent: true, opacity: 0.95, toneMapped: false });
    scene.add(helper);
  }
  $("skeleton").checked = shown;
  draw();
}

// ------------------------------------------------------------------------------------------------------- the camera

function look(view) {
  const turns = { front: 0, quarter: Math.PI / 5, side: Math.PI / 2, back: Math.PI, face: 0.16 };
  const near = view === "face" && eyesAt(), own = character.high;
  const { joints, box } = character;
  const reach = joints.length > 1 ? joints.map((bone) => bone.getWorldPosition(new Vector3())) : [box.min, box.max];
  const high = Math.max(own, ...reach.map(({ y }) => y + 0.1));
  const target = near ? near.clone().setY(near.y - 0.02 * own) : new Vector3(0, 0.455 * high, 0); // above the bar
  const across = Math.max(0.62 * own, ...reach.map(({ x, z }) => 2 * Math.max(Math.abs(x), Math.abs(z)) + 0.2));
  const [tall, wide] = near ? [0.2 * own, 0.2 * own] : [1.27 * high, across];
  const tangent = Math.tan((FIELD_OF_VIEW / 2) * (Math.PI / 180));
  const distance = Math.max(tall, wide / camera.aspect) / 2 / tangent + (near ? 0.1 : 0.2);
  camera.position.setFromSpherical(new Spherical(distance, Math.PI / 2 - (near ? 0.02 : 0.05), turns[view])).add(target);
  controls.target.copy(target);
  camera.userData.view = view;
  controls.update();
  draw();
}

function turn(around, above) {
  const arm = new Spherical().setFromVector3(camera.position.clone().sub(controls.target));
  arm.theta += around;
  arm.phi += above;
  camera.position.setFromSpherical(arm.makeSafe()).add(controls.target);
  camera.userData.view = "";
  draw();
}

function nearer(times) {
  camera.position.sub(controls.target).multiplyScalar(times).add(controls.target);
  camera.userData.view = "";
  draw();
}

// --------------------------------------------------------------------------------------------------- the controls

function slider(label, value, least, most, step, changed, released) {
  const text = (number) => Number(number).toFixed(step < 1 ? 2 : 0);
  const input = element("input", { type: "range", min: least, max: most, step, value });
  const shown = element("output", { textContent: text(value) });
  input.setAttribute("aria-label", label);
  input.oninput = () => {
    shown.textContent = text(input.value);
    changed(Number(input.value));
  };
  if (released) input.onchange = () => released(Number(input.value));
  const set = (number) => {
    input.value = number;
    shown.textContent = text(input.value);
  };
  return { set, input, row: element("div", { className: "slide" }, element("span", { textContent: label }), input, shown) };
}

// What can be found by words stands in a group that opens.
function group(title, items) {
  for (const [found, row] of items) row.dataset.words = `${title} ${found}`.toLowerCase();
  return element("details", {}, element("summary", { textContent: title }, element("span", { textContent: items.length })), ...items.map(([, row]) => row));
}

$("find").oninput = () => {
  const asked = $("find").value.toLowerCase().split(/\s+/);
  for (const row of document.querySelectorAll("[data-words]")) row.hidden = !asked.every((word) => row.dataset.words.includes(word));
  for (const each of document.querySelectorAll("details")) {
    each.hidden = !each.querySelector("[data-words]:not([hidden])");
    each.open = !each.hidden && asked.join("") !== "";
  }
  $("controls").classList.toggle("finding", asked.join("") !== "");
};

function posing() {
  for (const [title, [limb, labels]] of Object.entries(LIMBS)) {
    const items = Object.entries(labels).map(([angle, label]) => {
      const name = limb + angle, other = name.replace(/left|right/, (side) => (side === "left" ? "right" : "left"));
      const sign = angle === "down" ? -1 : 1; // whoever poses an arm raises it
      const both = () => ($("both").checked ? [name, other] : [name]);
      const changed = (value) => bend(Object.fromEntries(both().map((each) => [each, sign * value])));
      const [least, most] = settings.angles[name].map((limit) => sign * limit).sort((a, b) => a - b);
      const { set, input, row } = slider(label, 0, least, most, 1, changed, () => move("own"));
      angles[name] = (degrees) => set(sign * degrees);
      input.setAttribute("aria-label", `${title}: ${label.toLowerCase()}`);
      return [label, row];
    });
    $("angles").append(group(title, items));
  }
  $("reset").onclick = () => move(begun);
}

function panel() {
  const sliders = {};
  const express = (changes) => {
    Object.assign(face, changes);
    for (const [name, value] of Object.entries(changes)) sliders[name]?.set(value);
    shape();
  };
  const pressed = (chip) => {
    for (const each of $("face").querySelectorAll("button")) each.setAttribute("aria-pressed", each === chip);
  };
  const known = character.expressions;
  for (const [key, title] of Object.entries({ ...GROUPS, "": "Others" })) {
    const names = known.filter((name) => (key ? name.startsWith(key) : !Object.keys(GROUPS).some((each) => name.startsWith(each))));
    if (!names.length) continue;
    for (const name of names) {
      sliders[name] = slider(sided(name), face[name], 0, 1, 0.01, (value) => {
        const other = twin(name);
        const both = $("mirror").checked && other !== name && other in face && !/eyeLook(In|Out)|jaw|^mouth(Left|Right)$/.test(name);
        express(both ? { [name]: value, [other]: value } : { [name]: value });
        pressed(null);
      });
    }
    $("groups").append(group(title, names.map((name) => [`${sided(name)} ${name}`, sliders[name].row])));
  }
  const chips = (mixtures, label) =>
    Object.entries(mixtures).map(([name, mixture]) => {
      const chip = element("button", { type: "button", textContent: label(name) });
      chip.setAttribute("aria-pressed", name === "as made");
      chip.onclick = () => {
        express({ ...Object.fromEntries(known.map((each) => [each, 0])), ...Object.fromEntries(Object.entries(mixture).filter(([each]) => each in face)) });
        pressed(chip);
      };
      return chip;
    });
  $("presets").append(...chips({ "as made": character.resting, ...settings.presets }, capital));
  const visemes = group("Visemes", chips(settings.visemes, (name) => name).map((chip) => [chip.textContent, chip]));
  visemes.className = "chips";
  $("groups").append(visemes);
  $("face").hidden = !known.length;

  const clips = character.clips.map((clip) => [`clip:${clip.name}`, capital(words(clip.name))]);
  for (const [what, label] of [...clips, ["", "T-pose"]]) {
    const chip = element("button", { type: "button", textContent: label, value: what });
    chip.onclick = () => (chosen === what && action ? pause() : move(what));
    $("clips").append(chip);
  }
  const poses = Object.keys(settings.poses);
  $("pose").append(element("option", { value: "", textContent: "choose one of " + poses.length }));
  for (const name of poses) $("pose").append(element("option", { value: `pose:${name}`, textContent: capital(name) }));
  $("motion").hidden = character.joints.length < 2;
  $("posing").hidden = !poses.length || character.joints.length < 2;
  posing();
  $("pose").onchange = () => move($("pose").value);
  $("speed").oninput = pace;

  for (const mesh of character.meshes) {
    const fixed = settings.locked.includes(mesh.name);
    const box = element("input", { type: "checkbox", checked: true, disabled: fixed });
    box.onchange = () => {
      off[box.checked ? "delete" : "add"](mesh.name);
      layered();
    };
    $("layers").append(element("label", {}, box, capital(words(mesh.name))));
  }
  $("skeleton").disabled = character.joints.length < 2;
}

$("skeleton").onchange = () => skeleton($("skeleton").checked);
$("wireframe").onchange = () => {
  for (const mesh of character.meshes) mesh.material.wireframe = $("wireframe").checked;
  draw();
};
$("spin").onchange = () => (spinning = $("spin").checked);
$("floor").onchange = () => {
  ground.visible = $("floor").checked;
  draw();
};
for (const button of $("views").children) button.onclick = () => look(button.dataset.view);

addEventListener("keydown", (event) => {
  if (!character || event.ctrlKey || event.metaKey || event.altKey || event.target.matches("select, [type=search]")) return;
  const click = (id) => () => $(id).click();
  const always = {
    ...Object.fromEntries([...$("views").children].map((button, index) => [String(index + 1), () => look(button.dataset.view)])),
    "+": () => nearer(0.88), "=": () => nearer(0.88), "-": () => nearer(1.14),
    k: click("skeleton"), w: click("wireframe"), t: click("spin"), d: click("theme"),
  };
  const focused = { ArrowLeft: () => turn(-0.12, 0), ArrowRight: () => turn(0.12, 0), ArrowUp: () => turn(0, -0.08), ArrowDown: () => turn(0, 0.08), " ": pause };
  const onPicture = event.target === canvas || event.target === document.body;
  const act = always[event.key.toLowerCase()] ?? (onPicture ? focused[event.key] : undefined);
  if (!act) return;
  event.preventDefault();
  act();
});

// ------------------------------------------------------------------------------------- with "bozzetto view" behind it

async function ask(path, body) {
  const answer = await fetch(path, { method: "POST", headers: { "content-type": "application/json", "x-bozzetto": "1" }, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error((await answer.text()) || answer.statusText);
  return answer;
}

function live() {
  const asked = {}, sliders = {};
  let building = false, again = false;
  const rebuild = async () => {
    again = building;
    if (building) return;
    building = true;
    toast("Building the figure …");
    try {
      const buffer = await (await ask("shape", asked)).arrayBuffer();
      await open(buffer);
      offer(buffer);
      toast("");
    } catch (error) {
      toast(error.message, 12);
    }
    building = false;
    if (again) rebuild();
  };
  for (const [name, { label, value, least, most, step }] of Object.entries(settings.shape)) {
    sliders[name] = slider(label, value, least, most, step, () => {}, (number) => {
      asked[name] = number;
      rebuild();
    });
    $("measures").append(sliders[name].row);
  }
  $("asbefore").onclick = () => {
    for (const [name, each] of Object.entries(settings.shape)) {
      sliders[name].set(each.value);
      delete asked[name];
    }
    rebuild();
  };
  $("keep").onclick = async () => {
    toast("Saving …");
    try {
      toast(await (await ask("keep", asked)).text(), 12);
    } catch (error) {
      toast(error.message, 12);
    }
  };
  $("shape").hidden = $("keep").hidden = !Object.keys(settings.shape).length;
}

// ----------------------------------------------------------------------------------------------------- the beginning

function carried() {
  const node = $("character"), text = node.textContent.trim();
  node.remove();
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text).buffer;
  const raw = atob(text), bytes = new Uint8Array(raw.length);
  for (let index = 0; index < raw.length; index++) bytes[index] = raw.charCodeAt(index);
  return bytes.buffer;
}

function offer(buffer) {
  URL.revokeObjectURL($("download").href);
  $("download").href = URL.createObjectURL(new Blob([buffer], { type: "model/gltf-binary" }));
}

async function begin() {
  const buffer = settings.live ? await (await fetch("avatar.glb")).arrayBuffer() : carried();
  offer(buffer);
  try {
    build();
  } catch {
    tell("This browser shows no 3D here", "WebGL is switched off or missing. Allow hardware acceleration in the browser's settings, or open the page in another browser. The character can still be downloaded as a GLB file.");
    return;
  }
  await open(buffer);
  panel();
  if (settings.live) live();
  const { asset } = character;
  $("made").textContent = `Made by an AI tool: ${asset.generator}` + (asset.copyright ? `. © ${asset.copyright}` : "") + ".";
  $("words").textContent = settings.words ?? "";
  $("said").hidden = !settings.words;
  move(!calm && character.clips.some((clip) => clip.name === "idle") ? "clip:idle" : "");
  $("message").hidden = true;
  $("controls").hidden = $("views").hidden = false;
  fit();
  look("quarter");
  renderer.render(scene, camera);
}

const ready = begin().catch((error) => {
  tell("The character cannot be shown", `${error.message} Export it again: bozzetto export DIR.`);
  throw error;
});

// For programs: what is shown, and how to change it. `coverage` is the picture's alpha from any camera (4 x 4, OpenGL,
// columns first), with neither ground nor skeleton.
window.bozzetto = {
  ready, move, look, bend,
  get character() {
    return character;
  },
  set(changes) {
    Object.assign(face, changes);
    shape();
  },
  picture() {
    renderer.render(scene, camera);
    return canvas.toDataURL();
  },
  async coverage(width, height, view, projection) {
    const lone = new PerspectiveCamera(), kept = [ground.visible, renderer.getPixelRatio()];
    lone.matrixAutoUpdate = false;
    lone.matrix.fromArray(view).invert();
    lone.matrixWorldNeedsUpdate = true;
    lone.projectionMatrix.fromArray(projection);
    lone.projectionMatrixInverse.copy(lone.projectionMatrix).invert();
    ground.visible = false;
    if (helper) helper.visible = false;
    renderer.setPixelRatio(1);
    renderer.setSize(width, height, false);
    renderer.render(scene, lone);
    const picture = canvas.toDataURL();
    [ground.visible] = kept;
    if (helper) helper.visible = true;
    renderer.setPixelRatio(kept[1]);
    fit();
    return picture;
  },
};
