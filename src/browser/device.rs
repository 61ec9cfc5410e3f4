//! Phones and tablets by name, as their makers describe them.

/// What a page sees of a device.
#[derive(Debug, Clone, Copy)]
pub struct Device {
    /// As users write it.
    pub name: &'static str,
    /// Width and height in CSS pixels.
    pub viewport: (u32, u32),
    /// Device pixels per CSS pixel.
    pub pixel_ratio: f64,
    /// What the browser says it is.
    pub user_agent: &'static str,
}

const IPHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1";
const IPAD: &str = "Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1";
const ANDROID: &str = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36";
const TABLET: &str = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";

const fn device(
    name: &'static str,
    viewport: (u32, u32),
    pixel_ratio: f64,
    user_agent: &'static str,
) -> Device {
    Device {
        name,
        viewport,
        pixel_ratio,
        user_agent,
    }
}

/// Every device, one line each.
pub static DEVICES: &[Device] = &[
    device("iPhone SE", (375, 667), 2.0, IPHONE),
    device("iPhone 13", (390, 844), 3.0, IPHONE),
    device("iPhone 14", (390, 844), 3.0, IPHONE),
    device("iPhone 15", (393, 852), 3.0, IPHONE),
    device("iPhone 15 Pro Max", (430, 932), 3.0, IPHONE),
    device("iPhone 16", (393, 852), 3.0, IPHONE),
    device("Pixel 7", (412, 915), 2.625, ANDROID),
    device("Pixel 8", (412, 915), 2.625, ANDROID),
    device("Galaxy S23", (360, 780), 3.0, ANDROID),
    device("Galaxy S24", (360, 780), 3.0, ANDROID),
    device("Galaxy Z Fold 5", (344, 882), 2.625, ANDROID),
    device("Galaxy Tab S9", (800, 1280), 2.0, TABLET),
    device("iPad", (810, 1080), 2.0, IPAD),
    device("iPad Pro 11", (834, 1194), 2.0, IPAD),
];
