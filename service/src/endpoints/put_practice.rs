//! `PUT /v1/practices/{practice_id}`

use std::sync::Arc;

use super::shapes::{PracticeAnswer, PracticeSettings, WRONG_ZONE};
use crate::app::App;
use crate::http::{Code, Problem, Request, Response};
use crate::practice::store::{self, Put};

/// Makes a practice or changes it.
pub(crate) async fn handle(app: &Arc<App>, request: Request) -> Result<Response, Problem> {
    let practice_id = request.path.i64("practice_id")?;
    let wanted = request.json::<PracticeSettings>()?.check(practice_id)?;
    let shard = app.practices.shard(practice_id);
    let put = store::put(&app.db, shard, wanted, app.clock.real_now()).await?;
    let (status, practice) = match put {
        Put::Created(practice) => (201, practice),
        Put::Changed(practice) | Put::Unchanged(practice) => (200, practice),
        Put::SenderTaken => {
            let detail = "sender: the number belongs to another practice";
            return Err(Problem::new(Code::Conflict, detail));
        }
        Put::ZoneUnknown => return Err(Problem::new(Code::Invalid, WRONG_ZONE)),
    };
    let answer = PracticeAnswer::of(&practice);
    app.senders.remember(practice.sender, practice_id);
    app.practices.remember(practice);
    Ok(Response::json(status, &answer))
}
