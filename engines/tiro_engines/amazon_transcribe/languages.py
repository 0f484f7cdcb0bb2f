"""The language codes of Tiro, and the locales of the service, which also name a country."""

from collections.abc import Iterable, Mapping

_NAMES = """
af-ZA am-ET ar-AE ar-SA be-BY bg-BG bn-IN bs-BA ca-ES ckb-IQ ckb-IR cs-CZ cy-WL da-DK de-CH de-DE el-GR en-AB
en-AU en-GB en-IE en-IN en-NZ en-US en-WL en-ZA es-ES es-MX es-US et-ET eu-ES fa-AF fa-IR fi-FI fr-CA fr-FR gl-ES
gu-IN he-IL hi-IN hr-HR ht-HT hu-HU hy-AM id-ID is-IS it-IT ja-JP jv-ID kab-DZ ka-GE kk-KZ km-KH kn-IN ko-KR lg-IN
lt-LT lv-LV mk-MK ml-IN mr-IN ms-MY my-MM ne-NP nl-NL no-NO or-IN pa-IN pl-PL ps-AF pt-BR pt-PT ro-RO ru-RU si-LK
sk-SK sl-SI so-SO sq-AL sr-RS su-ID sv-SE sw-BI sw-KE sw-RW sw-TZ sw-UG ta-IN te-IN th-TH tl-PH tr-TR uk-UA uz-UZ
vi-VN zh-CN zh-HK zh-TW zu-ZA
"""
LOCALES = tuple(_NAMES.split())
"""`LanguageCode` of the service's public model, version 2017-10-26, as its JavaScript client 3.1141.0 has it."""

USUAL = ("ar-SA", "de-DE", "en-US", "es-US", "fa-IR", "fr-FR", "pt-BR", "sw-KE", "zh-CN")
"""The default locale of each language that has several."""


def language_of(locale: str) -> str:
    """The language of a locale: ISO 639-1, 639-3 where there is none, as in `en` and `ckb`."""
    return locale.partition("-")[0]


def locales_by_tag(preferred: Iterable[str] = ()) -> Mapping[str, str]:
    """The locale of each language, as `en`, and of each locale itself, as `en-GB`.

    Args:
        preferred: Locales that a deployment wants instead of the usual ones.

    Raises:
        ValueError: The service has no such locale.
    """
    chosen = {language_of(locale): locale for locale in reversed(LOCALES)}
    for locale in (*USUAL, *preferred):
        if locale not in LOCALES:
            raise ValueError(f"the service has no language {locale!r}")
        chosen[language_of(locale)] = locale
    return chosen | {locale: locale for locale in LOCALES}
