"""Country codes: OTTO speaks ISO 3166-1 alpha-3, the contract alpha-2."""

from __future__ import annotations

from collections.abc import Mapping

# Europe, and where German shops deliver to beyond it. A code that is not here reaches the Journal as a missing country.
_PAIRS = (
    "DEU:DE AUT:AT CHE:CH LIE:LI LUX:LU BEL:BE NLD:NL FRA:FR MCO:MC ITA:IT SMR:SM VAT:VA ESP:ES AND:AD PRT:PT GIB:GI "
    "GBR:GB IRL:IE IMN:IM JEY:JE GGY:GG DNK:DK FRO:FO GRL:GL SWE:SE NOR:NO FIN:FI ALA:AX ISL:IS EST:EE LVA:LV LTU:LT "
    "POL:PL CZE:CZ SVK:SK HUN:HU SVN:SI HRV:HR BIH:BA SRB:RS MNE:ME MKD:MK ALB:AL GRC:GR CYP:CY MLT:MT BGR:BG ROU:RO "
    "MDA:MD UKR:UA BLR:BY RUS:RU TUR:TR GEO:GE ARM:AM AZE:AZ KAZ:KZ USA:US CAN:CA MEX:MX BRA:BR ARG:AR CHL:CL AUS:AU "
    "NZL:NZ JPN:JP KOR:KR CHN:CN HKG:HK TWN:TW SGP:SG IND:IN THA:TH VNM:VN MYS:MY IDN:ID PHL:PH ISR:IL ARE:AE SAU:SA "
    "QAT:QA KWT:KW EGY:EG MAR:MA TUN:TN DZA:DZ ZAF:ZA NGA:NG KEN:KE"
)
ALPHA_2: Mapping[str, str] = dict(pair.split(":") for pair in _PAIRS.split())


def alpha_2(code: str | None) -> str | None:
    """`DEU` → `DE`; None for a code nobody knows here."""
    return ALPHA_2.get((code or "").strip().upper())


ALPHA_3: Mapping[str, str] = {two: three for three, two in ALPHA_2.items()}


def alpha_3(code: str | None) -> str | None:
    """`DE` → `DEU`; alpha-3 stays as it is; None for a code nobody knows here."""
    given = (code or "").strip().upper()
    return given if given in ALPHA_2 else ALPHA_3.get(given)
