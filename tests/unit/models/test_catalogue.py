"""The catalogue: the shipped one, a deployment's own, and invalid ones."""

from decimal import Decimal
from pathlib import Path

import pytest
from google.type.money_pb2 import Money

from tiro_engines.catalogue import (
    CatalogueError,
    UnknownEngineError,
    UnknownModelError,
    load_catalogue,
)
from tiro_engines.interface import capability_name
from tiro_engines.price import Price

OWN = """
default_engine = "mine"
[[engines]]
name = "mine"
default_model = "{default_model}"
[[engines.models]]
name = "m"
languages = ["en"]
capabilities = [{capabilities}]
files = [{{ name = "{file}", size_bytes = 3, sha256 = "{sha256}" }}]
"""


def own(
    folder: Path,
    *,
    default_model: str = "m",
    capabilities: str = '"batch"',
    file: str = "model.bin",
    sha256: str = "a" * 64,
) -> Path:
    """Write a deployment's own catalogue."""
    path = folder / "catalogue.toml"
    path.write_text(OWN.format(default_model=default_model, capabilities=capabilities, file=file, sha256=sha256))
    return path


def test_empty_names_are_the_defaults() -> None:
    """Empty names are faster-whisper and its multilingual `base`."""
    assert load_catalogue().model("", "").name == "base"
    assert load_catalogue().engine("").name == "faster-whisper"


def test_models_are_pinned() -> None:
    """Every model with weights has a repository, a commit of it, and a digest."""
    models = load_catalogue().engine("faster-whisper").models.values()
    assert {"tiny.en", "base", "small", "medium", "large-v3", "large-v3-turbo", "distil-large-v3"} <= {
        model.name for model in models
    }
    for model in models:
        assert model.repository
        assert len(model.revision) == 40
        assert model.digest.removeprefix("sha256:") in {file.sha256 for file in model.files}


def test_wheel_parts_name_files_of_the_model() -> None:
    """Each wheel part belongs to a file of its model."""
    for model in load_catalogue().engine("faster-whisper").models.values():
        assert {part.file for part in model.wheel_parts} <= {file.name for file in model.files}


def test_unknown_names_are_refused_with_the_known_ones() -> None:
    """An unknown engine or model is refused with the list of the known ones."""
    catalogue = load_catalogue()
    with pytest.raises(UnknownEngineError, match=r"unknown engine 'vosk'.*faster-whisper"):
        catalogue.engine("vosk")
    with pytest.raises(UnknownModelError, match=r"unknown model 'huge'.*tiny\.en"):
        catalogue.model("faster-whisper", "huge")


def test_languages_are_those_of_the_tokenizer() -> None:
    """large-v3 has all of Whisper's languages. base lacks Cantonese, which large-v3 has added."""
    tokenizer = pytest.importorskip("faster_whisper.tokenizer")
    codes = frozenset(tokenizer._LANGUAGE_CODES)
    engine = load_catalogue().engine("faster-whisper")
    assert engine.model("large-v3").languages == codes
    assert engine.model("base").languages == codes - {"yue"}


def test_a_deployment_may_have_its_own_catalogue(tmp_path: Path) -> None:
    """A deployment's own catalogue replaces the shipped one."""
    catalogue = load_catalogue(own(tmp_path))
    assert catalogue.model("", "").digest == "sha256:" + "a" * 64
    with pytest.raises(UnknownEngineError):
        catalogue.engine("faster-whisper")


PRICED = """
default_engine = "mine"
[[engines]]
name = "mine"
default_model = "m"
price_per_minute = {{ amount = {amount}, currency = "{currency}" }}
[[engines.models]]
name = "m"
languages = ["en", "fi"]
capabilities = ["batch", "live", "language_detection"]
[[engines.models]]
name = "dear"
languages = ["en", "fi"]
capabilities = ["batch"]
price_per_minute = {{ amount = 1, currency = "EUR" }}
"""


def priced(folder: Path, *, amount: str = "0.024", currency: str = "USD") -> Path:
    """Write a catalogue with prices."""
    path = folder / "catalogue.toml"
    path.write_text(PRICED.format(amount=amount, currency=currency))
    return path


def test_prices_are_exact(tmp_path: Path) -> None:
    """Prices are decimals with the contract's nine digits. A model's price overrides its engine's."""
    engine = load_catalogue(priced(tmp_path, amount="999999999.000000001")).engine("")
    price = engine.price_of(engine.model("m"))
    assert price is not None
    assert price.to_proto() == Money(currency_code="USD", units=999_999_999, nanos=1)
    assert engine.price_of(engine.model("dear")) == Price(Decimal(1), "EUR")
    assert engine.price_of(None) == price, "a model that is known from workers only"


def test_the_shipped_catalogue_has_no_prices() -> None:
    """No model of the shipped catalogue has a price."""
    for engine in load_catalogue().engines.values():
        assert all(engine.price_of(model) is None for model in engine.models.values())


def test_capabilities_are_those_of_the_contract(tmp_path: Path) -> None:
    """Capabilities are the contract's names in lower case, or the name of a set of them."""
    engine = load_catalogue(priced(tmp_path)).engine("")
    assert {capability_name(one) for one in engine.model("m").features} == {"batch", "live", "language_detection"}
    whisper = load_catalogue().engine("faster-whisper")
    multilingual = whisper.model("base").features - whisper.model("tiny.en").features
    assert {capability_name(one) for one in multilingual} == {
        "language_detection",
        "language_candidates",
        "translation",
    }


def test_an_unknown_capability_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    """The message lists the known capabilities."""
    with pytest.raises(CatalogueError, match=r"no capability hotword; there are batch, .*hotwords"):
        load_catalogue(own(tmp_path, capabilities='"batch", "hotword"'))


@pytest.mark.parametrize(
    "wrong",
    [{"amount": "-1"}, {"amount": "0.0000000001"}, {"amount": "nan"}, {"currency": "dollars"}, {"currency": ""}],
)
def test_a_wrong_price_is_refused(tmp_path: Path, wrong: dict[str, str]) -> None:
    """A price is refused if it is negative, not a number, finer than nine digits, or without a currency."""
    with pytest.raises(CatalogueError):
        load_catalogue(priced(tmp_path, **wrong))


@pytest.mark.parametrize(
    "wrong", [{"sha256": "A1"}, {"file": "../model.bin"}, {"default_model": "n"}, {"capabilities": ""}]
)
def test_a_wrong_catalogue_is_refused(tmp_path: Path, wrong: dict[str, str]) -> None:
    """A wrong digest, a path outside the folder, an unknown default, or no capability: the error names the file."""
    path = own(tmp_path, **wrong)
    with pytest.raises(CatalogueError, match=str(path)):
        load_catalogue(path)
