//! Everything that customers share.
use super::basket::Sizes;
use super::calendar::Calendar;
use super::catalogue::Catalogue;
use super::taste::Tastes;

pub(super) struct Shop {
    pub catalogue: Catalogue,
    pub tastes: Tastes,
    pub calendar: Calendar,
    pub sizes: Sizes,
}

impl Shop {
    pub fn new() -> Self {
        let catalogue = Catalogue::new();
        let tastes = Tastes::new(&catalogue);
        Shop { catalogue, tastes, calendar: Calendar::new(), sizes: Sizes::new() }
    }
}
