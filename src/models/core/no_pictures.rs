//! Stands in for the pictures of a saved model in a build without the feature `plot`.

use super::learner::Learner;
use super::model::Model;
use super::report::Pictures;

/// Returns the reason why there are no pictures.
pub(super) fn draw<M: Model>(_: &Learner<M>) -> Pictures {
    let none = "The program that saved the model was built without geolearn's feature plot.";
    Pictures { losses: Err(none.to_owned()), results: Err(none.to_owned()) }
}
