"""The engines Berth knows: every module of this folder that ends in `ENGINE = …` is one."""

import importlib
import pkgutil
from functools import cache

from lib.core.errors import NotFound
from lib.core.names import model_name, shown
from lib.engines import titles
from lib.engines.base import Engine, Health, Model, State


@cache
def all_engines() -> dict[str, Engine]:
    """Every engine by its name, in the order of the file names."""
    modules = [
        importlib.import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__)
    ]
    found = [module.ENGINE for module in modules if hasattr(module, "ENGINE")]
    return {engine.name: engine for engine in found}


def present_engines() -> dict[str, Health]:
    """The health of each engine of which anything is here, by the engine's name."""
    healths = {name: engine.health() for name, engine in all_engines().items()}
    return {name: health for name, health in healths.items() if not health.is_absent}


def all_models(engine: str = "") -> list[Model]:
    """Every model of every engine, or of the one named: running ones first, then by name."""
    asked = [found for name, found in all_engines().items() if engine in ("", name)]
    found = [model for one in asked for model in one.models()]
    models = titles.titled(found, is_all=len(asked) == len(all_engines()))
    return sorted(models, key=lambda m: (m.state != State.READY, m.state == State.STOPPED, m.name))


def running_models() -> list[Model]:
    """Every model of every engine that is loaded on this machine, or about to be."""
    found = [model for model in all_models() if not model.is_elsewhere]
    return [model for model in found if model.state not in (State.STOPPED, State.FAILED)]


def find_model(name: str, engine: str = "") -> Model:
    """The model of this exact name (a running one where two engines have it), or NotFound."""
    model_name(name)
    for model in all_models(engine):
        if model.name == name:
            return model
    raise NotFound(f"There is no model “{shown(name)}”.", "Open Models to see which there are.")


def engine_of(model: Model) -> Engine:
    """The engine that has this model."""
    return all_engines()[model.engine]
