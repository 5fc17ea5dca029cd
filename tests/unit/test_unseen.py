"""What cannot be seen is named, and what a browser sends back stays as it came."""

from shared.unseen import in_page, in_text

MARK = '<mark class="unseen" title="U+200B Zero Width Space">U+200B</mark>'


def test_texts_of_a_page_get_marks_and_values_stay() -> None:
    page = '<title>a\u200b</title><p title="a\u200b">a\u200b</p><input value="a\u200b"><option>a\u200b</option>'
    assert in_page(page) == (
        f'<title>a[U+200B]</title><p title="a\u200b">a{MARK}</p><input value="a\u200b"><option>a[U+200B]</option>'
    )
    field = '<textarea name="x">a\u200b</textarea>'
    assert in_page(field + "<p>\u200b</p>") == f"{field}<p>{MARK}</p>"
    plain = "<p>Größe\tM\n</p>"
    assert in_page(plain) is plain


def test_pictures_of_several_characters_stay_whole_and_others_are_told() -> None:
    for picture in ("❤\ufe0f", "👩\u200d💻", "🏳\ufe0f\u200d🌈"):
        assert in_text(f"Danke {picture}!") == f"Danke {picture}!"
    assert in_text("A\u200d1") == "A[U+200D]1"
    assert in_text("\u202egnp.exe") == "[U+202E]gnp.exe"
