"""Parameters of addresses that follow a reader and name no content: those that Firefox (query
stripping) and ClearURLs remove everywhere.
"""

COMMON = ("gclid", "fbclid", "msclkid", "dclid", "mc_cid", "mc_eid", "_hsenc", "_hsmi")
RARE = (
    *("gclsrc", "gbraid", "wbraid", "yclid", "twclid", "ttclid", "li_fat_id", "igshid", "igsh"),
    *("__hstc", "__hssc", "__hsfp", "hsctatracking", "mkt_tok", "vero_id", "oly_anon_id"),
    *("oly_enc_id", "wickedid", "rb_clickid", "s_cid", "_openstat"),
)
