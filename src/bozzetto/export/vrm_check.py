"""Whether a glTF document is a VRM 1.0 file, rule by rule. For our files and for anybody's.

Written from the published specification: VRMC_vrm 1.0 (``humanoid.md``, ``meta.md``, ``expressions.md``,
``lookAt.md``, ``firstPerson.md``, ``tpose.md``), VRMC_springBone 1.0, VRMC_node_constraint 1.0. ``docs/vrm.md`` lists
the rules. Of the T-pose it checks what nodes can tell: which way the arms, the legs and the left side point, and that
it stands above the ground. glTF itself is the Khronos validator's to check.
"""

import math
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from .bones import VRM_REQUIRED
from .rights import VRM_LICENCE

_FINGERS = {"Thumb": ("Metacarpal", "Proximal", "Distal")} | dict.fromkeys(
    ("Index", "Middle", "Ring", "Little"), ("Proximal", "Intermediate", "Distal")
)
PARENTS: Mapping[str, str | None] = {
    "hips": None, "spine": "hips", "chest": "spine", "upperChest": "chest", "neck": "upperChest", "head": "neck",
    "leftEye": "head", "rightEye": "head", "jaw": "head",
} | {
    f"{side}{bone}": f"{side}{parent}" if parent[0].isupper() else parent
    for side in ("left", "right")
    for bone, parent in (
        ("UpperLeg", "hips"), ("LowerLeg", "UpperLeg"), ("Foot", "LowerLeg"), ("Toes", "Foot"),
        ("Shoulder", "upperChest"), ("UpperArm", "Shoulder"), ("LowerArm", "UpperArm"), ("Hand", "LowerArm"),
        *(
            (finger + part, finger + before if before else "Hand")
            for finger, parts in _FINGERS.items()
            for part, before in zip(parts, (None, *parts), strict=False)
        ),
    )
}  # fmt: skip
"""Every humanoid bone and the bone it hangs from; where that is missing, from the next one up."""
NEEDS_PARENT = frozenset({"upperChest"}) | {
    f"{side}{finger}{part}" for side in ("left", "right") for finger, parts in _FINGERS.items() for part in parts[1:]
}
"""Bones that may exist only where their parent bone does."""
PRESETS = frozenset(
    "happy angry sad relaxed surprised aa ih ou ee oh blink blinkLeft blinkRight lookUp lookDown lookLeft lookRight "
    "neutral".split()
)
_META_CHOICES = {
    "avatarPermission": ("onlyAuthor", "onlySeparatelyLicensedPerson", "everyone"),
    "commercialUsage": ("personalNonProfit", "personalProfit", "corporation"),
    "creditNotation": ("required", "unnecessary"),
    "modification": ("prohibited", "allowModification", "allowModificationRedistribution"),
}
_META_FLAGS = (
    "allowExcessivelyViolentUsage", "allowExcessivelySexualUsage", "allowPoliticalOrReligiousUsage",
    "allowAntisocialOrHateUsage", "allowRedistribution",
)  # fmt: skip
_META_TEXTS = ("version", "copyrightInformation", "contactInformation", "thirdPartyLicenses", "otherLicenseUrl")
_OVERRIDES = {
    "overrideBlink": ("blink", "blinkLeft", "blinkRight"),
    "overrideLookAt": ("lookUp", "lookDown", "lookLeft", "lookRight"),
    "overrideMouth": ("aa", "ih", "ou", "ee", "oh"),
}
"""What an expression may hold back, and the presets that each is about."""
_CONSTRAINTS = {
    "roll": ("rollAxis", ("X", "Y", "Z")),
    "aim": ("aimAxis", tuple(f"{sign}{axis}" for sign in ("Positive", "Negative") for axis in "XYZ")),
    "rotation": (None, ()),
}
"""Kinds of node constraints, and the axis that each needs."""
_COLOURS = ("color", "emissionColor", "shadeColor", "matcapColor", "rimColor", "outlineColor")
_OFF_AXIS = math.cos(math.radians(20))
"""How far a limb may be from its axis in the T-pose."""


def check_vrm(document: Any) -> list[str]:
    """What is wrong with the document as a VRM 1.0 file, one sentence each; empty when nothing is.

    Never raises, whatever the document holds; time grows with its size alone.
    """
    problems: list[str] = []

    def run(what: str, rule: Callable[[], Iterator[str]]) -> None:
        try:
            problems.extend(rule())
        except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
            problems.append(f"{what} is malformed ({type(error).__name__}: {str(error)[:80]})")

    try:
        tree = _Tree(document)
        extensions = document["extensions"]
        vrm = extensions["VRMC_vrm"]
        _object(vrm)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        return [f"no VRM 1.0 document: {type(error).__name__}: {str(error)[:120]}"]
    run("the document", lambda: _document(document, extensions, vrm, tree))
    run("meta", lambda: _meta(document, vrm["meta"]))
    run("humanoid", lambda: _humanoid(vrm["humanoid"], tree))
    if "expressions" in vrm:
        run("expressions", lambda: _expressions(document, vrm["expressions"], tree))
    if "lookAt" in vrm:
        run("lookAt", lambda: _look_at(vrm["lookAt"]))
    if "firstPerson" in vrm:
        run("firstPerson", lambda: _first_person(vrm["firstPerson"], tree))
    if "VRMC_springBone" in extensions:
        run("VRMC_springBone", lambda: _springs(extensions["VRMC_springBone"], tree))
    run("VRMC_node_constraint", lambda: _constraints(document, tree))
    return problems


class _Tree:
    """The document's nodes: whose child each is, in an order that answers "is this an ancestor" at once."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.nodes: list[dict[str, Any]] = document["nodes"]
        self._targets: dict[int, int] = {}
        count = len(self.nodes)
        self.parents = [-1] * count
        for node, content in enumerate(self.nodes):
            for child in content.get("children", []):
                child = _index(child, count, "a child")
                if self.parents[child] >= 0 or child == node:
                    raise ValueError(f"node {child} hangs from two nodes, or from itself")
                self.parents[child] = node
        self.enters, self.leaves = [-1] * count, [-1] * count
        self._places: dict[int, ndarray] = {-1: np.eye(4)}
        clock = 0
        for root in (node for node in range(count) if self.parents[node] < 0):
            stack = [(root, False)]
            while stack:
                node, done = stack.pop()
                clock += 1
                if done:
                    self.leaves[node] = clock
                    continue
                self.enters[node] = clock
                stack.append((node, True))
                stack += [(child, False) for child in self.nodes[node].get("children", [])]
        if -1 in self.enters:
            raise ValueError("its nodes hang in a circle")

    def above(self, upper: int, lower: int) -> bool:
        """Whether `upper` is `lower` or hangs over it."""
        return self.enters[upper] <= self.enters[lower] and self.leaves[lower] <= self.leaves[upper]

    def below(self, upper: Container[int]) -> set[int]:
        """Every node that hangs under one of these."""
        found: set[int] = set()
        for node in sorted(range(len(self.nodes)), key=self.enters.__getitem__):
            if self.parents[node] in upper or self.parents[node] in found:
                found.add(node)
        return found

    def place(self, node: int) -> Float[ndarray, "3"]:
        """Where a node is in the scene."""
        path = []
        while node not in self._places:
            path.append(node)
            node = self.parents[node]
        for lower in reversed(path):
            self._places[lower] = self._places[node] @ _local(self.nodes[lower])
            node = lower
        return self._places[node][:3, 3]

    def node(self, value: object, what: str) -> int:
        return _index(value, len(self.nodes), what)

    def targets(self, document: dict[str, Any], node: int) -> int:
        """How many morph targets all primitives of a node's mesh have."""
        mesh = _index(self.nodes[node]["mesh"], len(document["meshes"]), "a mesh")
        if mesh not in self._targets:
            primitives = document["meshes"][mesh]["primitives"]
            self._targets[mesh] = min(len(primitive.get("targets", [])) for primitive in primitives)
        return self._targets[mesh]


def _local(node: dict[str, Any]) -> Float[ndarray, "4 4"]:
    if "matrix" in node:
        return np.array(_numbers(node["matrix"], 16), np.float64).reshape(4, 4).T
    x, y, z, w = _numbers(node.get("rotation", [0.0, 0.0, 0.0, 1.0]), 4)
    turn = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    local = np.eye(4)
    local[:3, :3] = turn * _numbers(node.get("scale", [1.0, 1.0, 1.0]), 3)
    local[:3, 3] = _numbers(node.get("translation", [0.0, 0.0, 0.0]), 3)
    return local


def _document(document: dict[str, Any], extensions: dict[str, Any], vrm: dict[str, Any], tree: _Tree) -> Iterator[str]:
    used = document.get("extensionsUsed", [])
    for name in ("VRMC_vrm", "VRMC_springBone"):
        if name in extensions and name not in used:
            yield f"extensionsUsed does not name {name}"
    if vrm.get("specVersion") != "1.0":
        yield f"specVersion is {_short(vrm.get('specVersion'))}, not '1.0'"
    for unused in ("animations", "cameras"):
        if document.get(unused):
            yield f"it has {unused}, which VRM does not use"
    for number, node in enumerate(tree.nodes):
        scale = _numbers(node.get("scale", [1.0, 1.0, 1.0]), 3)
        if "matrix" in node:
            linear = _local(node)[:3, :3]
            scale = (np.linalg.norm(linear, axis=0) * np.sign(np.linalg.det(linear))).tolist()
        if min(scale) <= 0 or max(scale) - min(scale) > 1e-4 * max(scale):
            yield f"node {number} is scaled by {scale}; every scale must be positive and uniform"

    for number, mesh in enumerate(_list(document.get("meshes", []))):
        names = mesh.get("extras", {}).get("targetNames")
        if names is not None and any(len(each.get("targets", [])) != len(names) for each in mesh["primitives"]):
            yield f"mesh {number} has not as many morph targets as extras.targetNames has names"


def _meta(document: dict[str, Any], meta: dict[str, Any]) -> Iterator[str]:
    if not (isinstance(meta.get("name"), str) and meta["name"]):
        yield "meta.name is missing"
    authors = meta.get("authors")
    if not (
        isinstance(authors, list) and authors and all(isinstance(author, str) for author in authors) and any(authors)
    ):
        yield "meta.authors must name at least one author"
    if meta.get("licenseUrl") != VRM_LICENCE:
        yield f"meta.licenseUrl must be {VRM_LICENCE}"
    for name, choices in _META_CHOICES.items():
        if name in meta and meta[name] not in choices:
            yield f"meta.{name} is {_short(meta[name])}; it takes {', '.join(choices)}"
    for name in _META_FLAGS:
        if not isinstance(meta.get(name, False), bool):
            yield f"meta.{name} must be true or false"
    for name in _META_TEXTS:
        if not isinstance(meta.get(name, ""), str):
            yield f"meta.{name} must be text"
    if not all(isinstance(each, str) for each in _list(meta.get("references", []))):
        yield "meta.references must be texts"
    if "thumbnailImage" in meta:
        image = document["images"][_index(meta["thumbnailImage"], len(document["images"]), "meta.thumbnailImage")]
        if image.get("mimeType") not in ("image/png", "image/jpeg"):
            yield "meta.thumbnailImage must be PNG or JPEG"


def _humanoid(humanoid: dict[str, Any], tree: _Tree) -> Iterator[str]:
    bones = {name: tree.node(bone["node"], name) for name, bone in humanoid["humanBones"].items()}
    unknown = set(bones) - set(PARENTS)
    if unknown:
        yield f"there are no humanoid bones {_short(sorted(unknown))}"
    missing = VRM_REQUIRED - set(bones)
    if missing:
        yield f"required bones are missing: {', '.join(sorted(missing))}"
    if len(set(bones.values())) < len(bones):
        yield "one node is two humanoid bones"
    for name in sorted(set(bones) & NEEDS_PARENT):
        parent = PARENTS[name]
        if parent not in bones:
            yield f"{name} needs the bone {parent}"
    by_node = {node: name for name, node in bones.items()}
    for name in sorted(set(bones) - unknown):
        expected = PARENTS[name]
        while expected is not None and expected not in bones:
            expected = PARENTS[expected]
        found = tree.parents[bones[name]]
        while found >= 0 and found not in by_node:
            found = tree.parents[found]
        actual = by_node.get(found)
        if actual != expected:
            yield f"{name} must hang from {expected or 'no bone'}, not from {actual or 'no bone'}"
    if not missing and not unknown:
        yield from _t_pose({name: tree.place(node) for name, node in bones.items()})


def _t_pose(at: Mapping[str, Float[ndarray, "3"]]) -> Iterator[str]:
    if not at["hips"][1] > 0:
        yield "no T-pose: the hips are not above the ground, which is y = 0"
    limbs = [("spine", "head", "upwards", (0.0, 1.0, 0.0))]
    for side, x in (("left", 1.0), ("right", -1.0)):
        limbs += [
            (f"{side}UpperArm", f"{side}LowerArm", "sideways", (x, 0.0, 0.0)),
            (f"{side}LowerArm", f"{side}Hand", "sideways", (x, 0.0, 0.0)),
            (f"{side}UpperLeg", f"{side}LowerLeg", "downwards", (0.0, -1.0, 0.0)),
            (f"{side}LowerLeg", f"{side}Foot", "downwards", (0.0, -1.0, 0.0)),
        ]
    for start, end, way, axis in limbs:
        along = at[end] - at[start]
        length = float(np.linalg.norm(along))
        if not length > 1e-6 or float(along @ axis) / length < _OFF_AXIS:
            yield f"no T-pose: {start} to {end} does not point {way}"


def _expressions(document: dict[str, Any], expressions: dict[str, Any], tree: _Tree) -> Iterator[str]:
    presets, customs = _object(expressions.get("preset", {})), _object(expressions.get("custom", {}))
    for name in sorted(set(presets) - PRESETS):
        yield f"there is no preset expression {_short(name)}"
    for name in sorted(set(customs) & PRESETS):
        yield f"the custom expression {name} has the name of a preset"
    materials = len(document.get("materials", []))
    for name, expression in (*presets.items(), *customs.items()):
        if not isinstance(expression.get("isBinary", False), bool):
            yield f"{name}.isBinary must be true or false"
        for override, own in _OVERRIDES.items():
            value = expression.get(override, "none")
            if value not in ("none", "block", "blend"):
                yield f"{name}.{override} is {_short(value)}; it takes none, block, blend"
            elif value != "none" and name in own:
                yield f"{name}.{override} must be none, since {name} is one of what it holds back"
        for bind in _list(expression.get("morphTargetBinds", [])):
            node = tree.node(bind["node"], f"{name}'s node")
            if "mesh" not in tree.nodes[node]:
                yield f"{name} moves node {node}, which has no mesh"
                continue
            _index(bind["index"], tree.targets(document, node), f"{name}'s morph target")
            if not 0 <= _number(bind["weight"]) <= 1:
                yield f"{name} has the weight {bind['weight']}, outside 0 to 1"
        for bind in _list(expression.get("materialColorBinds", [])):
            _index(bind["material"], materials, f"{name}'s material")
            _numbers(bind["targetValue"], 4)
            if bind["type"] not in _COLOURS:
                yield f"{name} changes the colour {_short(bind['type'])}, which does not exist"
        for bind in _list(expression.get("textureTransformBinds", [])):
            _index(bind["material"], materials, f"{name}'s material")
            _numbers(bind.get("scale", [1.0, 1.0]), 2)
            _numbers(bind.get("offset", [0.0, 0.0]), 2)


def _look_at(look_at: dict[str, Any]) -> Iterator[str]:
    if look_at.get("type", "bone") not in ("bone", "expression"):
        yield f"lookAt.type is {_short(look_at['type'])}; it takes bone, expression"
    _numbers(look_at.get("offsetFromHeadBone", [0.0, 0.0, 0.0]), 3)
    for name in ("HorizontalInner", "HorizontalOuter", "VerticalDown", "VerticalUp"):
        mapped = look_at.get(f"rangeMap{name}", {})
        if not 0 <= _number(mapped.get("inputMaxValue", 90.0)) <= 180:
            yield f"lookAt.rangeMap{name}.inputMaxValue must be an angle of 0 to 180 degrees"
        _number(mapped.get("outputScale", 10.0))


def _first_person(first_person: dict[str, Any], tree: _Tree) -> Iterator[str]:
    seen: set[int] = set()
    for annotation in _list(first_person.get("meshAnnotations", [])):
        node = tree.node(annotation["node"], "firstPerson's node")
        if "mesh" not in tree.nodes[node]:
            yield f"firstPerson names node {node}, which has no mesh"
        if node in seen:
            yield f"firstPerson names node {node} twice"
        seen.add(node)
        if annotation["type"] not in ("auto", "both", "thirdPersonOnly", "firstPersonOnly"):
            yield f"firstPerson has the type {_short(annotation['type'])}"


def _springs(spring_bone: dict[str, Any], tree: _Tree) -> Iterator[str]:
    if spring_bone.get("specVersion") != "1.0":
        yield f"springBone.specVersion is {_short(spring_bone.get('specVersion'))}, not '1.0'"
    colliders, groups = _list(spring_bone.get("colliders", [])), _list(spring_bone.get("colliderGroups", []))
    for number, collider in enumerate(colliders):
        tree.node(collider["node"], f"collider {number}'s node")
        shapes = [kind for kind in ("sphere", "capsule") if kind in collider["shape"]]
        if len(shapes) != 1:
            yield f"collider {number} must be a sphere or a capsule"
            continue
        shape = collider["shape"][shapes[0]]
        for place in ("offset", *(["tail"] if shapes[0] == "capsule" else [])):
            _numbers(shape.get(place, [0.0, 0.0, 0.0]), 3)
        if not _number(shape.get("radius", 0.0)) >= 0:
            yield f"collider {number} has a negative radius"
    for number, group in enumerate(groups):
        members = [_index(each, len(colliders), f"collider group {number}'s collider") for each in group["colliders"]]
        if not members:
            yield f"collider group {number} is empty"
    taken: dict[int, int] = {}
    centers: dict[int, tuple[int, int]] = {}
    for number, spring in enumerate(_list(spring_bone.get("springs", []))):
        joints = [tree.node(joint["node"], f"spring {number}'s joint") for joint in spring["joints"]]
        if not joints:
            yield f"spring {number} has no joints"
            continue
        for group in _list(spring.get("colliderGroups", [])):
            _index(group, len(groups), f"spring {number}'s collider group")
        for joint in spring["joints"]:
            yield from _spring_joint(number, joint)
        for upper, lower in pairwise(joints):
            if upper == lower or not tree.above(upper, lower):
                yield f"spring {number}: node {upper} must hang over node {lower}"
                break
        else:
            for node in _walk(tree, joints[0], joints[-1]):
                if taken.setdefault(node, number) != number:
                    yield f"node {node} swings in the springs {taken[node]} and {number}"
                    break
        if "center" in spring:
            centers[number] = tree.node(spring["center"], "a center"), joints[0]
    swinging = tree.below(taken)
    for number, (center, first) in centers.items():
        if not tree.above(center, first) or taken.get(center, number) != number or center in swinging:
            yield f"spring {number}'s center must be its first joint or hang over it, in and under no other spring"


def _walk(tree: _Tree, upper: int, lower: int) -> Iterator[int]:
    """The nodes from one up to another that hangs over it."""
    while lower != upper:
        yield lower
        lower = tree.parents[lower]
    yield upper


def _spring_joint(number: int, joint: dict[str, Any]) -> Iterator[str]:
    _numbers(joint.get("gravityDir", [0.0, -1.0, 0.0]), 3)
    for name, highest in (("hitRadius", math.inf), ("stiffness", math.inf), ("dragForce", 1.0)):
        if not 0 <= _number(joint.get(name, 0.0)) <= highest:
            yield f"spring {number} has a {name} of {joint[name]}"
    _number(joint.get("gravityPower", 0.0))


def _constraints(document: dict[str, Any], tree: _Tree) -> Iterator[str]:
    sources: dict[int, int] = {}
    for node, content in enumerate(tree.nodes):
        extension = content.get("extensions", {}).get("VRMC_node_constraint")
        if extension is None:
            continue
        if extension.get("specVersion") != "1.0":
            yield f"node {node}'s constraint has the specVersion {_short(extension.get('specVersion'))}, not '1.0'"
        kinds = [kind for kind in _CONSTRAINTS if kind in extension["constraint"]]
        if len(kinds) != 1:
            yield f"node {node}'s constraint must be one of roll, aim and rotation"
            continue
        constraint = extension["constraint"][kinds[0]]
        name, axes = _CONSTRAINTS[kinds[0]]
        if name is not None and constraint.get(name) not in axes:
            yield f"node {node}'s {name} is {_short(constraint.get(name))}; it takes {', '.join(axes)}"
        if not 0 <= _number(constraint.get("weight", 1.0)) <= 1:
            yield f"node {node}'s constraint has the weight {constraint['weight']}, outside 0 to 1"
        sources[node] = tree.node(constraint["source"], f"node {node}'s source")
    if sources and "VRMC_node_constraint" not in document.get("extensionsUsed", []):
        yield "extensionsUsed does not name VRMC_node_constraint"
    sound: set[int] = set()
    for start in sources:
        path: dict[int, None] = {}
        node = start
        while node in sources and node not in sound and node not in path:
            path[node] = None
            node = sources[node]
        if node in path:
            yield f"node {node} is constrained by itself, through its sources"
        sound.update(path)


def _index(value: object, count: int, what: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < count:
        raise ValueError(f"{what} is {_short(value)}, not one of {count}")
    return value


def _number(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise ValueError(f"{_short(value)} is no number")
    return float(value)


def _numbers(value: object, count: int) -> list[float]:
    if not isinstance(value, list) or len(value) != count:
        raise ValueError(f"{_short(value)} is not {count} numbers")
    return [_number(each) for each in value]


def _list(value: object) -> Sequence[Any]:
    if not isinstance(value, list):
        raise TypeError(f"{_short(value)} is no list")
    return value


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"{_short(value)} is no object")
    return value


def _short(value: object) -> str:
    return f"{value!r:.60}"
