//! The values that are drawn, each with its weight.

/// Of a thousand surnames, how many begin with it; nearly the same for anything else that has a name.
pub const INITIALS: [(u8, u32); 26] = [
    (b'A', 35), (b'B', 90), (b'C', 76), (b'D', 48), (b'E', 19), (b'F', 35), (b'G', 53), (b'H', 73), (b'I', 4),
    (b'J', 28), (b'K', 35), (b'L', 48), (b'M', 94), (b'N', 18), (b'O', 15), (b'P', 49), (b'Q', 2), (b'R', 56),
    (b'S', 96), (b'T', 35), (b'U', 2), (b'V', 17), (b'W', 60), (b'X', 1), (b'Y', 6), (b'Z', 6),
];

pub const VOWELS: [(&str, u32); 11] = [
    ("A", 24), ("E", 26), ("I", 14), ("O", 19), ("U", 8), ("EE", 2), ("EA", 3), ("AI", 2), ("OU", 2), ("IE", 2), ("Y", 2),
];

pub const CODAS: [(&str, u32); 15] = [
    ("", 45), ("N", 12), ("R", 12), ("L", 8), ("S", 6), ("ND", 3), ("CK", 2), ("LD", 2), ("NG", 2), ("RT", 2), ("M", 4),
    ("ST", 2), ("T", 4), ("LL", 3), ("RN", 1),
];

pub const ONSETS: [(&str, u32); 24] = [
    ("B", 5), ("C", 5), ("D", 7), ("F", 2), ("G", 5), ("H", 3), ("J", 1), ("K", 5), ("L", 9), ("M", 7), ("N", 9), ("P", 3),
    ("R", 10), ("S", 7), ("T", 8), ("V", 3), ("W", 3), ("Z", 2), ("ST", 3), ("SH", 1), ("CH", 2), ("TR", 1), ("TH", 2),
    ("BR", 1),
];

pub const SURNAME_ENDINGS: [(&str, u32); 15] = [
    ("", 50), ("SON", 7), ("S", 6), ("ER", 6), ("EZ", 5), ("MAN", 4), ("TON", 3), ("LEY", 3), ("A", 3), ("O", 2), ("Y", 3),
    ("SKI", 1), ("BERG", 1), ("FIELD", 1), ("WOOD", 1),
];

pub const STREET_KINDS: [(&str, u32); 9] = [
    ("ST", 30), ("AVE", 22), ("RD", 16), ("DR", 10), ("BLVD", 9), ("LN", 4), ("PKWY", 4), ("HWY", 3), ("CT", 2),
];

pub const ORG_BEGINNINGS: [(&str, u32); 16] = [
    ("ADVANCED", 3), ("FAMILY", 3), ("COMMUNITY", 3), ("PREMIER", 2), ("COMPLETE", 1), ("ASSOCIATED", 1), ("FIRST", 1),
    ("NEW LIFE", 1), ("QUALITY", 1), ("UNITED", 1), ("INTEGRATED", 2), ("HEALING", 1), ("1ST CHOICE", 1), ("A PLUS", 1),
    ("VALLEY", 2), ("24-7", 1),
];

pub const ORG_TRADES: [(&str, u32); 18] = [
    ("MEDICAL", 10), ("DENTAL", 9), ("FAMILY MEDICINE", 4), ("PHYSICAL THERAPY", 5), ("HOME HEALTH CARE", 6),
    ("HEALTHCARE", 8), ("COUNSELING", 6), ("CHIROPRACTIC", 5), ("BEHAVIORAL HEALTH", 5), ("VISION", 3), ("SURGICAL", 2),
    ("ORTHOPAEDIC", 2), ("CARDIOLOGY", 2), ("COUNTY", 2), ("REHABILITATION", 3), ("HOSPICE", 2), ("LABORATORY", 2),
    ("MEDICAL EQUIPMENT", 3),
];

pub const ORG_KINDS: [(&str, u32); 11] = [
    ("CENTER", 12), ("CLINIC", 10), ("ASSOCIATES", 12), ("GROUP", 10), ("SERVICES", 14), ("PHARMACY", 7), ("HOSPITAL", 3),
    ("PRACTICE", 3), ("OFFICE", 2), ("SOLUTIONS", 4), ("", 10),
];

pub const ORG_FORMS: [(&str, u32); 9] =
    [("", 22), (" LLC", 26), (", LLC", 9), (" INC", 12), (", INC.", 8), (" PC", 6), (", P.A.", 4), (" PLLC", 7), (" LTD", 2)];

/// Where providers are, and the first three digits of a postal code there.
pub const STATES: [((&str, u32), u32); 52] = [
    (("CA", 900), 125), (("NY", 100), 75), (("TX", 750), 70), (("FL", 320), 65), (("PA", 150), 42), (("IL", 600), 38),
    (("OH", 430), 40), (("MI", 480), 36), (("NC", 270), 32), (("GA", 300), 28), (("NJ", 70), 30), (("MA", 10), 31),
    (("VA", 220), 24), (("WA", 980), 26), (("AZ", 850), 22), (("TN", 370), 21), (("MD", 206), 21), (("MN", 550), 21),
    (("MO", 630), 20), (("IN", 460), 20), (("CO", 800), 20), (("WI", 530), 18), (("OR", 970), 17), (("LA", 700), 16),
    (("CT", 60), 15), (("KY", 400), 14), (("AL", 350), 12), (("SC", 290), 13), (("OK", 730), 14), (("PR", 6), 9),
    (("UT", 840), 10), (("KS", 660), 9), (("NV", 889), 9), (("IA", 500), 9), (("AR", 716), 9), (("MS", 386), 8),
    (("NM", 870), 8), (("NE", 680), 6), (("WV", 247), 6), (("ID", 832), 5), (("ME", 39), 5), (("NH", 30), 5), (("HI", 967), 4),
    (("RI", 28), 4), (("MT", 590), 4), (("DE", 197), 3), (("AK", 995), 4), (("SD", 570), 3), (("ND", 580), 3), (("DC", 200), 4),
    (("VT", 50), 2), (("WY", 820), 2),
];

pub const CREDENTIALS: [(&str, u32); 14] = [
    ("", 30), ("MD", 14), ("M.D.", 10), ("RN", 6), ("PT", 3), ("DDS", 3), ("LCSW", 4), ("NP", 4), ("FNP-C", 3), ("PHARMD", 4),
    ("PA-C", 3), ("DO", 2), ("BCBA", 2), ("RBT", 6),
];

pub const TAXONOMIES: [(&str, u32); 34] = [
    ("106S00000X", 80), ("163W00000X", 60), ("183500000X", 45), ("101YM0800X", 60), ("1041C0700X", 50), ("363LF0000X", 55),
    ("225100000X", 45), ("207R00000X", 50), ("207Q00000X", 45), ("390200000X", 60), ("363A00000X", 30), ("122300000X", 25),
    ("1223G0001X", 30), ("101YA0400X", 20), ("101YP2500X", 25), ("171M00000X", 25), ("235Z00000X", 25), ("111N00000X", 20),
    ("208000000X", 22), ("367500000X", 12), ("225X00000X", 20), ("152W00000X", 12), ("164W00000X", 20), ("207L00000X", 14),
    ("2084P0800X", 16), ("2085R0202X", 12), ("207X00000X", 9), ("208600000X", 11), ("207W00000X", 6), ("207Y00000X", 4),
    ("208800000X", 4), ("207T00000X", 2), ("213ES0103X", 4), ("207RC0000X", 10),
];

pub const ORG_TAXONOMIES: [(&str, u32); 16] = [
    ("251E00000X", 12), ("261QM1300X", 8), ("332B00000X", 9), ("3336C0003X", 10), ("207Q00000X", 8), ("261QP2300X", 6),
    ("122300000X", 8), ("225100000X", 6), ("111N00000X", 6), ("282N00000X", 3), ("251S00000X", 6), ("261QA1903X", 2),
    ("101YM0800X", 7), ("343900000X", 5), ("291U00000X", 3), ("314000000X", 4),
];
