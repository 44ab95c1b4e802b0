"""The customers of the sample partner: invented firms in many scripts, with every kind of subscription."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

from bot.sandbox.partner_center.offers import Shelf, fixed_id, moment
from bot.sandbox.partner_center.records import Contact, Customer, Subscription

Basket = Callable[[Shelf, date], list[Subscription]]

BUSINESS_PREMIUM = "Microsoft 365 Business Premium"
BUSINESS_STANDARD = "Microsoft 365 Business Standard"
BUSINESS_BASIC = "Microsoft 365 Business Basic"
E3 = "Microsoft 365 E3"
OFFICE_E3 = "Office 365 E3"
EXCHANGE = "Exchange Online (Plan 1)"
DYNAMICS = "Dynamics 365 Sales Professional"


def sample_customers(today: date) -> list[Customer]:
    """Forty-six customers; who they are and their ids never vary, their dates follow `today`."""
    return [
        _customer(row, basket, today) for row, basket in [*_named_in_the_ledger(), *_special(), *_ordinary()]
    ]


Row = tuple[str, str, str, str, str, str, str]  # name, domain, country, city, culture, first and last name


def _named_in_the_ledger() -> list[tuple[Row, Basket]]:
    """The customers the sample receivables speak of by name, the demo's first choice among them."""
    return [
        (
            ("Contoso Ltd", "contoso.onmicrosoft.com", "US", "Seattle", "en-US", "Rosa", "Delgado"),
            lambda shelf, _: [
                shelf.legacy(BUSINESS_PREMIUM, 48),
                shelf.new_commerce(E3, 120, "P1Y", days_ago=95),
                shelf.trial("Power BI Premium Trial"),
            ],
        ),
        (
            ("Adatum Corporation", "adatum.onmicrosoft.com", "US", "Denver", "en-US", "Grace", "Holm"),
            lambda shelf, _: [
                shelf.new_commerce(BUSINESS_STANDARD, 65, "P1Y", days_ago=31),
                shelf.new_commerce(EXCHANGE, 10, "P1M", days_ago=100),
            ],
        ),
        (
            ("Fourth Coffee", "fourthcoffee.onmicrosoft.com", "US", "Portland", "en-US", "Amir", "Saleh"),
            lambda shelf, _: [shelf.new_commerce(BUSINESS_BASIC, 14, "P1M", days_ago=47)],
        ),
        (
            (
                "Lamna Healthcare, Inc.",
                "lamnahealthcare.onmicrosoft.com",
                "US",
                "Boston",
                "en-US",
                "Ellen",
                "Wright",
            ),
            _base_with_add_on,
        ),
        (
            ("Woodgrove Bank", "woodgrovebank.onmicrosoft.com", "US", "New York", "en-US", "Paul", "Ito"),
            lambda shelf, _: [
                shelf.azure_plan("Core banking", "Data warehouse", stopped=("Pilot 2024",)),
                shelf.new_commerce("Microsoft 365 E5", 310, "P3Y", days_ago=500),
            ],
        ),
        (
            ("Tailspin Toys", "tailspintoys.onmicrosoft.com", "US", "Austin", "en-US", "Nadia", "Kovacs"),
            lambda shelf, _: [
                shelf.azure_plan(stopped=("Web shop 2023",)),
                shelf.new_commerce(BUSINESS_PREMIUM, 22, "P1Y", days_ago=200),
            ],
        ),
        (
            ("Fabrikam, Inc.", "fabrikam.onmicrosoft.com", "US", "Chicago", "en-US", "Joel", "Brandt"),
            lambda shelf, _: [
                shelf.azure_plan(),
                shelf.legacy(OFFICE_E3, 75, days_ago=290),
                shelf.new_commerce(DYNAMICS, 18, "P1Y", days_ago=18),
            ],
        ),
        (
            ("北京云杉科技有限公司", "yunshan.partner.onmschina.cn", "CN", "北京", "zh-CN", "静", "李"),
            lambda shelf, _: [
                shelf.legacy("Microsoft 365 商业标准版", 85),
                shelf.new_commerce(E3, 30, "P1Y", days_ago=60),
            ],
        ),
        (
            (
                "Müller & Söhne Maschinenbau GmbH",
                "mueller-soehne.onmicrosoft.com",
                "DE",
                "Augsburg",
                "de-DE",
                "Jürgen",
                "Müller",
            ),
            lambda shelf, _: [
                shelf.legacy(BUSINESS_PREMIUM, 140, days_ago=320),
                shelf.new_commerce("Visio Plan 2", 6, "P1Y", days_ago=44),
            ],
        ),
        (
            ("Северный Ветер", "severnyveter.onmicrosoft.com", "KZ", "Алматы", "ru-RU", "Ирина", "Соколова"),
            lambda shelf, _: [shelf.new_commerce(BUSINESS_STANDARD, 38, "P1Y", days_ago=150)],
        ),
        (
            (
                "さくら商事株式会社",
                "sakura-shoji.onmicrosoft.com",
                "JP",
                "大阪市",
                "ja-JP",
                "健太",
                "佐藤",
            ),
            lambda shelf, _: [
                shelf.legacy(BUSINESS_STANDARD, 27, days_ago=80),
                shelf.new_commerce("Windows 365 Business", 9, "P1M", days_ago=21),
            ],
        ),
    ]


def _special() -> list[tuple[Row, Basket]]:
    """One customer for each thing that can be odd about a subscription."""
    return [
        (
            ("Trey Research", "treyresearch.onmicrosoft.com", "US", "Raleigh", "en-US", "Lena", "Fox"),
            _suspended_three_weeks_ago,
        ),
        (
            ("Wingtip Toys", "wingtiptoys.onmicrosoft.com", "GB", "Leeds", "en-GB", "Oscar", "Byrne"),
            lambda shelf, _: [
                shelf.new_commerce(BUSINESS_BASIC, 12, "P1Y", days_ago=0, status="pending"),
                shelf.legacy(EXCHANGE, 40),
            ],
        ),
        (
            ("Coho Winery", "cohowinery.onmicrosoft.com", "US", "Napa", "en-US", "Marta", "Reyes"),
            _expired_last_week,
        ),
        (
            ("Proseware, Inc.", "proseware.onmicrosoft.com", "CA", "Toronto", "en-CA", "Ian", "Petrov"),
            lambda shelf, _: [
                shelf.new_commerce(BUSINESS_PREMIUM, 33, "P1Y", days_ago=260, status="pendingTransfer"),
                shelf.new_commerce("Power Automate Premium", 5, "P1M", days_ago=50),
            ],
        ),
        (
            ("Margie's Travel", "margiestravel.onmicrosoft.com", "US", "Miami", "en-US", "Margie", "Shaw"),
            lambda shelf, _: [
                shelf.marketplace("Itinerary Studio", "Pellworm Software", 12),
                shelf.new_commerce(BUSINESS_STANDARD, 16, "P1M", days_ago=82),
            ],
        ),
        (
            (
                "City Power & Light",
                "citypowerlight.onmicrosoft.com",
                "US",
                "Phoenix",
                "en-US",
                "Dale",
                "Mercer",
            ),
            lambda shelf, _: [
                shelf.software("Windows Server 2025 Standard, 16 cores", 8),
                shelf.new_commerce(E3, 96, "P3Y", days_ago=700),
            ],
        ),
        (
            (
                "Humongous Insurance",
                "humongousinsurance.onmicrosoft.com",
                "US",
                "Hartford",
                "en-US",
                "Ruth",
                "Abara",
            ),
            lambda shelf, _: [
                shelf.reservation("Reserved VM instance, D4s v5, one year", 4),
                shelf.azure_plan("Claims", "Reporting"),
                shelf.new_commerce(E3, 210, "P1Y", days_ago=333),
            ],
        ),
        (
            ("VanArsdel, Ltd.", "vanarsdel.onmicrosoft.com", "US", "Detroit", "en-US", "Kim", "Larsen"),
            lambda shelf, _: [shelf.legacy_azure(), shelf.legacy(OFFICE_E3, 55)],
        ),
        (
            ("Relecloud", "relecloud.onmicrosoft.com", "US", "San Jose", "en-US", "Toni", "Marsh"),
            lambda shelf, _: [shelf.new_commerce(E3, 60, "P1Y")],
        ),
        (
            (
                "Alpine Ski House",
                "alpineskihouse.onmicrosoft.com",
                "AT",
                "Innsbruck",
                "de-AT",
                "Eva",
                "Thaler",
            ),
            lambda shelf, _: [shelf.new_commerce(BUSINESS_STANDARD, 19, "P1Y", days_ago=120)],
        ),
        (
            (
                "Alpine Ski House",
                "alpineskihouse-davos.onmicrosoft.com",
                "CH",
                "Davos",
                "de-CH",
                "Reto",
                "Caduff",
            ),
            lambda shelf, _: [shelf.legacy(BUSINESS_BASIC, 8), shelf.trial("Visio Plan 2 Trial")],
        ),
    ]


def _ordinary() -> list[tuple[Row, Basket]]:
    """Customers nothing is odd about but their scripts."""
    rows: list[Row] = [
        (
            "Bäckerei Grünwald GmbH & Co. KG",
            "gruenwald.onmicrosoft.com",
            "DE",
            "Köln",
            "de-DE",
            "Anke",
            "Grün",
        ),
        ("Ørsund Fiskeri AS", "orsund.onmicrosoft.com", "NO", "Bergen", "nb-NO", "Åse", "Ørsund"),
        ("Żółta Łódź Logistyka Sp. z o.o.", "zoltalodz.onmicrosoft.com", "PL", "Łódź", "pl-PL", "Ewa", "Żak"),
        ("Émile et Filles SARL", "emile-filles.onmicrosoft.com", "FR", "Lyon", "fr-FR", "Émilie", "Roux"),
        ("Ελιά Τρόφιμα Α.Ε.", "elia-trofima.onmicrosoft.com", "GR", "Αθήνα", "el-GR", "Νίκος", "Παππάς"),
        ("Панорама Софт ЕООД", "panorama-soft.onmicrosoft.com", "BG", "София", "bg-BG", "Мария", "Илиева"),
        ("みなと食品株式会社", "minato-shokuhin.onmicrosoft.com", "JP", "横浜市", "ja-JP", "美咲", "田中"),
        ("한빛정밀 주식회사", "hanbit.onmicrosoft.com", "KR", "수원시", "ko-KR", "지훈", "김"),
        ("شركة النخيل للتجارة", "alnakheel.onmicrosoft.com", "AE", "دبي", "ar-AE", "ليلى", "حداد"),
        ("מרכבה תוכנה בע״מ", "merkava-soft.onmicrosoft.com", "IL", "חיפה", "he-IL", "נועה", "כהן"),
        ("上海澜图信息技术有限公司", "lantu.partner.onmschina.cn", "CN", "上海", "zh-CN", "伟", "张"),
        ("深圳市启程物流有限公司", "qicheng.partner.onmschina.cn", "CN", "深圳", "zh-CN", "敏", "王"),
        ("广州茗山茶业有限公司", "mingshan.partner.onmschina.cn", "CN", "广州", "zh-CN", "芳", "陈"),
        (
            "Wide World Importers",
            "wideworldimporters.onmicrosoft.com",
            "US",
            "Houston",
            "en-US",
            "Sam",
            "Odell",
        ),
        (
            "Graphic Design Institute",
            "graphicdesign.onmicrosoft.com",
            "US",
            "Omaha",
            "en-US",
            "Iris",
            "Nolan",
        ),
        ("Southridge Video", "southridgevideo.onmicrosoft.com", "US", "Reno", "en-US", "Cody", "Blake"),
        ("School of Fine Art", "fineartschool.onmicrosoft.com", "US", "Santa Fe", "en-US", "June", "Avery"),
        ("Consolidated Messenger", "consolidated.onmicrosoft.com", "US", "Memphis", "en-US", "Vic", "Ramos"),
        ("Bellows College", "bellowscollege.onmicrosoft.com", "US", "Ithaca", "en-US", "Dora", "Pike"),
        ("Best For You Organics", "bestforyou.onmicrosoft.com", "US", "Boise", "en-US", "Hal", "Winters"),
        ("First Up Consultants", "firstup.onmicrosoft.com", "IE", "Cork", "en-IE", "Niamh", "Daly"),
        ("Munson's Pickles & Preserves", "munsons.onmicrosoft.com", "US", "Salem", "en-US", "Bert", "Munson"),
        ("Nod Publishers", "nodpublishers.onmicrosoft.com", "GB", "Bath", "en-GB", "Faye", "Lorne"),
        ("Lucerne Publishing", "lucernepublishing.onmicrosoft.com", "CH", "Luzern", "de-CH", "Urs", "Meier"),
    ]
    return [(row, _everyday(number)) for number, row in enumerate(rows)]


def _everyday(number: int) -> Basket:
    """A basket as most customers have it; the number only makes neighbours differ."""
    seats, days_ago = 8 + number * 7 % 60, 20 + number * 37 % 320

    def basket(shelf: Shelf, _: date) -> list[Subscription]:
        match number % 4:
            case 0:
                return [shelf.new_commerce(BUSINESS_STANDARD, seats, "P1Y", days_ago=days_ago)]
            case 1:
                return [
                    shelf.legacy(BUSINESS_PREMIUM, seats, days_ago=days_ago),
                    shelf.new_commerce("Power BI Pro", 3, "P1M", days_ago=days_ago),
                ]
            case 2:
                return [shelf.new_commerce(BUSINESS_BASIC, seats, "P1M", days_ago=days_ago)]
            case _:
                return [shelf.legacy(OFFICE_E3, seats, days_ago=days_ago), shelf.legacy(EXCHANGE, 5)]

    return basket


def _base_with_add_on(shelf: Shelf, _: date) -> list[Subscription]:
    base = shelf.legacy(OFFICE_E3, 180, days_ago=240)
    return [
        base,
        shelf.add_on(base, "Microsoft Teams Phone Standard", 60, days_ago=200),
        shelf.new_commerce("Microsoft Defender for Business", 180, "P1Y", days_ago=75),
    ]


def _suspended_three_weeks_ago(shelf: Shelf, today: date) -> list[Subscription]:
    return [
        shelf.legacy(
            BUSINESS_PREMIUM,
            29,
            status="suspended",
            suspended_at=moment(today - timedelta(days=21)),
            suspension_reasons=("CustomerCancellation",),
        ),
        shelf.new_commerce("Project Plan 3", 4, "P1Y"),
    ]


def _expired_last_week(shelf: Shelf, today: date) -> list[Subscription]:
    ended = moment(today - timedelta(days=7))
    return [
        shelf.new_commerce(
            BUSINESS_STANDARD, 11, days_ago=372, status="expired", term_end=ended, auto_renew=False
        ),
        shelf.new_commerce(BUSINESS_BASIC, 6, "P1M", days_ago=5),
    ]


def _customer(row: Row, basket: Basket, today: date) -> Customer:
    name, domain, country, city, culture, first_name, last_name = row
    mailbox = f"accounts@{domain.partition('.')[0]}.example"
    return Customer(
        id=fixed_id(domain),
        name=name,
        domain=domain,
        contact=Contact(first_name=first_name, last_name=last_name, email=mailbox),
        country=country,
        city=city,
        culture=culture,
        relationship="advisor" if domain == "relecloud.onmicrosoft.com" else "reseller",
        subscriptions=tuple(basket(Shelf(domain, today), today)),
    )
