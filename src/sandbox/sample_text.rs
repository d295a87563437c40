//! Invented people, companies and sentences, in many scripts.

use fastrand::Rng;

/// Returns one of these values.
pub(super) fn one<T: Copy>(rng: &mut Rng, of: &[T]) -> T {
    of[rng.usize(..of.len())]
}

/// Returns a first and a last name.
pub(super) fn person(rng: &mut Rng) -> (&'static str, &'static str) {
    (one(rng, FIRST), one(rng, LAST))
}

/// Returns the name of a company.
pub(super) fn company(rng: &mut Rng) -> String {
    format!("{} {}", one(rng, FIRMS), one(rng, FORMS))
}

/// Returns the name of a product.
pub(super) fn product(rng: &mut Rng) -> String {
    format!("{} {}", one(rng, GRADES), one(rng, GOODS))
}

/// Returns a short subject of some work.
pub(super) fn matter(rng: &mut Rng) -> String {
    format!("{} {}", one(rng, VERBS), one(rng, MATTERS))
}

/// Returns a sentence. Some contain quotes, backslashes and line breaks.
pub(super) fn sentence(rng: &mut Rng) -> &'static str {
    one(rng, SENTENCES)
}

/// Returns the HTML of a note. It is usually short, and sometimes several kilobytes long.
pub(super) fn html(rng: &mut Rng, long: bool) -> String {
    let mut html = String::new();
    let paragraphs = if long { 60 + rng.usize(..60) } else { 1 + rng.usize(..3) };
    for _ in 0..paragraphs {
        html.push_str("<p>");
        html.push_str(sentence(rng));
        html.push_str(" <b class=\"hi\">");
        html.push_str(sentence(rng));
        html.push_str("</b></p>");
    }
    html
}

/// Returns an address: country, locality, route, number and postal code.
pub(super) fn place(rng: &mut Rng) -> [&'static str; 5] {
    one(rng, PLACES)
}

const FIRST: &[&str] = &[
    "Mia",
    "Jörg",
    "Zoë",
    "José",
    "Łukasz",
    "Siân",
    "李",
    "さくら",
    "Ольга",
    "محمد",
    "נועה",
    "Renée",
    "Đức",
    "Mārtiņš",
    "Tom",
    "Ana \"Nena\"",
    "Ida",
    "Noah",
    "Aino",
    "Søren",
    "Chloé",
    "지우",
    "Nadia",
    "Ivo",
    "Βασίλης",
    "🙂 Kim",
    "Lena",
    "Omar",
    "Priya",
    "Jane",
];

const LAST: &[&str] = &[
    "Berg",
    "O'Neil",
    "Müller",
    "Nuñez",
    "Wałęsik",
    "明",
    "田中",
    "Иванова",
    "العلي",
    "כהן",
    "D'Ångelo",
    "Nguyễn",
    "Kalniņš",
    "Smith-Jones",
    "van der Meer",
    "Öztürk",
    "Korhonen",
    "김",
    "Lindqvist",
    "Papadópoulos",
    "Silva e Souza",
    "Testov",
    "Ruiz",
    "Bär",
    "Field",
];

const FIRMS: &[&str] = &[
    "Acme",
    "Müller & Söhne",
    "Fjord",
    "北極星",
    "Café Olé",
    "AC\\DC Supplies",
    "\"Quoted\"",
    "Солнце",
    "شركة النور",
    "Globex",
    "Zażółć",
    "Nimbus ☁️",
    "Tall Tree",
    "Blue/Green",
    "Hōkū",
    "Initrode",
    "Lumière",
    "Große Straße",
    "O'Hara",
    "Kiwi 🥝",
    "Northwind",
    "Ελλάς",
    "Vektor",
];

const FORMS: &[&str] = &["Ltd", "GmbH", "Oy", "S.A.", "株式会社", "OÜ", "AB", "LLC", "Group"];
const GRADES: &[&str] = &["Basic", "Pro", "Ünique", "Eco", "Premium ⭐", "Compact", "标准"];
const GOODS: &[&str] =
    &["Licence", "Support", "Router", "Training", "Sensor 5\"", "Crème", "Onboarding", "Audit"];
const VERBS: &[&str] =
    &["Renewal of", "Pilot:", "Upgrade", "Rollout –", "Réunion", "Angebot für", "Re:", "提案"];
const MATTERS: &[&str] = &[
    "the fleet",
    "phase 2",
    "Q3 \"stretch\"",
    "10% off",
    "C:\\drive",
    "warehouse",
    "naïve plan",
    "Büro",
    "support desk",
    "🚀 launch",
    "data room",
    "кампания",
];

const SENTENCES: &[&str] = &[
    "Called, no answer.",
    "Wants a quote by Friday; budget is about 10 000 €.",
    "Line one\nline two\twith a tab",
    "He said \"maybe\" \\ then left.",
    "Très intéressé, à rappeler début mars.",
    "会議は来週の火曜日です。",
    "يرجى إرسال العرض",
    "Follow-up 👍🏽 after the fair",
    "Path is C:\\temp\\new",
    "Discount < 5% & > 2%",
    "Zero\u{200b}width and \u{7f}control",
    "Second visit went well.",
];

const PLACES: &[[&str; 5]] = &[
    ["Latvia", "Rīga", "Brīvības iela", "12", "LV-1010"],
    ["Germany", "München", "Große Straße", "3a", "80331"],
    ["Japan", "東京", "銀座", "4-1", "104-0061"],
    ["Portugal", "São João", "Rua d'Ouro", "77", "1100-060"],
    ["Egypt", "القاهرة", "شارع النيل", "9", "11511"],
    ["United Kingdom", "Leeds", "High \"St\"", "221B", "LS1 4AP"],
];
