"""Texts from before Unicode: short and long ones, of the encodings their countries use."""

import pytest

from lib.chat import documents, encodings

WRITTEN = [
    ("cp1252", "Name;Ort\r\nJosé;Málaga\r\nZoë;Köln\r\n"),
    ("cp1252", "Straße;Größe\r\nMüller;5 €\r\n"),
    ("cp1252", "Pós;ção\r\nSão João;Açúcar\r\n"),
    ("cp1252", "Prénom;Âge\r\nHélène;37\r\nFrançois;41\r\n"),
    ("cp1252", "Søren;Århus\r\nÆble;Øl\r\n"),
    ("cp1252", "Kaupunki;Määrä\r\nJyväskylä;3\r\n"),
    ("mac_roman", "Straße;Größe\rMüller;5\r"),
    ("cp850", "Straße;Größe\r\nMüller;5\r\n"),
    ("cp1250", "Jméno;Město\r\nJiří Dvořák;Plzeň\r\nZdeněk;České Budějovice\r\n"),
    ("cp1250", "Imię;Miasto\r\nŁukasz;Łódź\r\nStanisław;Kraków\r\nMałgorzata;Gdańsk\r\n"),
    ("cp1250", "Név;Város\r\nErzsébet;Győr\r\nIstván;Szűcs\r\n"),
    ("cp1251", "Имя;Город\r\nИван;Москва\r\nОльга;Казань\r\n"),
    ("koi8_r", "Имя;Город\nИван;Москва\nОльга;Казань\n"),
    ("cp866", "Имя;Город\r\nИван;Москва\r\nОльга;Казань\r\n"),
    ("cp1253", "Όνομα;Πόλη\r\nΓιώργος;Αθήνα\r\nΜαρία;Θεσσαλονίκη\r\n"),
    ("cp1254", "Ad;Şehir\r\nAyşe;İstanbul\r\nÇağrı;Muğla\r\n"),
    ("cp1255", "שם;עיר\r\nדוד;ירושלים\r\nשרה;חיפה\r\n"),
    ("cp1256", "الاسم;المدينة\r\nمحمد;القاهرة\r\nفاطمة;الرياض\r\n"),
    ("cp1257", "Vardas;Miestas\r\nŽydrūnas;Šiauliai\r\nRūta;Kėdainiai\r\n"),
    ("cp874", "ชื่อ,เมือง\r\nสมชาย,กรุงเทพ\r\n"),
    ("gb18030", "产品名称,价格,数量,北京,上海\r\n苹果,3,4\r\n"),
    ("big5", "產品名稱,價格,數量,臺北\r\n蘋果,3,4\r\n"),
    ("cp932", "商品名,価格,数量\r\nりんご,300,2\r\nバナナ,100,5\r\n"),
    ("euc_jp", "商品名,価格,数量\nりんご,300,2\nバナナ,100,5\n"),
    ("cp949", "이름,도시\r\n김철수,서울\r\n이영희,부산\r\n"),
]
EACH = pytest.mark.parametrize(
    ("encoding", "text"), WRITTEN, ids=[f"{name}-{text[:4]}" for name, text in WRITTEN]
)
EAST_ASIAN = [
    ("gb18030", "产品名称数量"),
    ("big5", "產品名稱"),
    ("cp932", "商品の名"),
    ("euc_jp", "商品の名"),
    ("cp949", "이름도시"),
]
PLAIN = b"".join(b"Item %05d;%d,00\r\n" % (n, n) for n in range(4_200))


@EACH
def test_a_table_of_a_few_lines_opens_as_it_was_typed(encoding: str, text: str) -> None:
    assert encodings.guessed(text.encode(encoding)) == (encoding, text)


@EACH
def test_a_large_one_opens_as_a_small_one(encoding: str, text: str) -> None:
    whole = text * (100_000 // len(text))
    assert encodings.guessed(whole.encode(encoding)) == (encoding, whole)


@EACH
def test_the_first_letter_beyond_ascii_may_come_late(encoding: str, text: str) -> None:
    whole = PLAIN + text.encode(encoding) + PLAIN[:20_000]
    assert encodings.guessed(whole) == (encoding, whole.decode(encoding))


@pytest.mark.parametrize(("encoding", "text"), EAST_ASIAN, ids=[name for name, _ in EAST_ASIAN])
@pytest.mark.parametrize("before", range(4))
def test_a_character_may_lie_across_any_place(encoding: str, text: str, before: int) -> None:
    whole = "," * before + f"{text},12\r\n" * 8_000
    assert encodings.guessed(whole.encode(encoding)) == (encoding, whole)


def test_an_encoding_that_cannot_read_the_whole_file_is_not_chosen() -> None:
    text = "Größe;Köln\r\n".encode("cp1252") * 3_000 + b"\x81\r\n"  # which cp1252 has not
    found = encodings.guessed(text)
    assert found is None or found[0] != "cp1252"


def test_the_guess_is_told_by_the_name_that_programs_use() -> None:
    found = documents.read("x.csv", "José;Málaga\r\n".encode("cp1252"))
    assert found.text == "José;Málaga\n"
    assert found.problem.startswith("Read as Western European (Windows), which is a guess")


@pytest.mark.parametrize("data", [bytes(range(128, 256)) * 20, b"\x80\xff\x81\xfe" * 99])
def test_noise_is_none_of_them(data: bytes) -> None:
    assert encodings.guessed(data) is None
