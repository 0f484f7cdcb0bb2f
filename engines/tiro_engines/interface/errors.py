"""The errors of loading an engine and of calling it."""


class ModelUnavailable(Exception):  # noqa: N818 - reads as the condition it reports
    """No source could supply the model."""


class EngineUnavailable(Exception):  # noqa: N818 - reads as the condition it reports
    """A service that the engine needs does not answer, or has no capacity now. Trying again later may help."""


class EngineRefused(Exception):  # noqa: N818 - reads as the condition it reports
    """A service that the engine needs refuses the request. Trying again does not help."""


class ModelTooLarge(EngineRefused):
    """The model does not fit the memory of the machine. Trying again there does not help."""


class UnsupportedLanguage(ValueError):  # noqa: N818 - reads as the condition it reports
    """The engine with its model does not recognize the requested language."""


class Cancelled(Exception):  # noqa: N818 - an outcome that the caller asked for, not an error
    """The caller set the cancellation event while a window was being transcribed."""
