/** The emoji an app of this kind writes by name; a name not known here stays as it was written. */

const BY_NAME = new Map(Object.entries({
  alarm_clock: "⏰",
  arrows_counterclockwise: "🔄", ballot_box_with_check: "☑️", bar_chart: "📊", bell: "🔔",
  blue_circle: "🔵", book: "📖", bulb: "💡", calendar: "📆", chart_with_downwards_trend: "📉",
  chart_with_upwards_trend: "📈", clipboard: "📋", credit_card: "💳",
  email: "📧", envelope: "✉️", exclamation: "❗", eyes: "👀", fire: "🔥", green_circle: "🟢",
  heavy_check_mark: "✔️", hourglass: "⌛", hourglass_flowing_sand: "⏳",
  information_source: "ℹ️", key: "🔑", large_blue_circle: "🔵", large_green_circle: "🟢",
  large_orange_circle: "🟠", large_red_circle: "🔴", large_yellow_circle: "🟡", link: "🔗",
  lock: "🔒", memo: "📝", money_with_wings: "💸", moneybag: "💰", no_bell: "🔕", no_entry: "⛔", no_entry_sign: "🚫",
  page_facing_up: "📄", pause_button: "⏸️", pencil: "📝",
  pencil2: "✏️", question: "❓", raised_hand: "✋", receipt: "🧾", red_circle: "🔴", repeat: "🔁",
  rotating_light: "🚨", scales: "⚖️", shield: "🛡️", sparkles: "✨", speech_balloon: "💬",
  tada: "🎉", thumbsdown: "👎", thumbsup: "👍", "+1": "👍", "-1": "👎", ticket: "🎫",
  warning: "⚠️", wastebasket: "🗑️", white_check_mark: "✅", white_circle: "⚪", x: "❌", yellow_circle: "🟡",
}));

export const withEmoji = (text) => text.replace(/:([a-z0-9_+-]+):/g, (written, name) => BY_NAME.get(name) ?? written);
