use chat_aws::{
    Aws, Changes, Connections, Delivery, Fault, Invoker, KeptRooms, Membership, Messages, Reactions, Reports, RoomBars,
    Sessions, Tables, Users, Vars,
};

/// Every part that functions are made of, for tests that look behind them.
#[derive(Clone)]
pub struct App {
    pub connections: Connections,
    pub messages: Messages,
    pub changes: Changes,
    pub reactions: Reactions,
    pub bars: RoomBars,
    pub reports: Reports,
    pub kept: KeptRooms,
    pub users: Users,
    pub tables: Tables,
    pub delivery: Delivery,
    pub membership: Membership,
    pub sessions: Sessions,
    pub invoker: Invoker,
}

impl App {
    pub fn new(vars: &Vars) -> Result<Self, Fault> {
        let aws = Aws::new(vars)?;
        Ok(Self {
            connections: aws.connections()?,
            messages: aws.messages()?,
            changes: aws.changes()?,
            reactions: aws.reactions()?,
            bars: aws.bars()?,
            reports: aws.reports()?,
            kept: aws.kept_rooms()?,
            users: aws.users()?,
            tables: aws.tables()?,
            delivery: aws.delivery()?,
            membership: aws.membership()?,
            sessions: aws.sessions()?,
            invoker: aws.invoker(),
        })
    }
}
