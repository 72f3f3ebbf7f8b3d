//! `evently user`: accounts.

use clap::{Args, Subcommand};
use evently_core::{
    domain::{Role, User},
    ports::Page,
};
use serde_json::{Value, json};

use super::input;
use crate::{
    args::Global,
    failure::Failure,
    names,
    reply::Reply,
    shop,
    table::{Table, facts},
};

#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Make an account; the password is asked for, or read from stdin
    Create(Create),
    /// Give an account another role
    Role {
        /// The account: its id or e-mail address
        user: String,
        /// customer, organizer, staff or admin
        role: Role,
    },
    /// List all accounts
    List,
}

#[derive(Debug, Args)]
pub struct Create {
    /// The e-mail address
    #[arg(long)]
    email: String,
    /// How to address them
    #[arg(long)]
    name: String,
    /// customer, organizer, staff or admin
    #[arg(long, default_value_t = Role::Customer)]
    role: Role,
    /// Read the password from the first line of stdin
    #[arg(long)]
    password_stdin: bool,
}

pub async fn run(global: &Global, command: UserCommand) -> Result<Reply, Failure> {
    match command {
        UserCommand::Create(new) => create(global, new).await,
        UserCommand::Role { user, role } => {
            let app = shop::open_existing(global).await?;
            let user = names::user(&app, &user).await?;
            Ok(told(&app.auth.set_role(&shop::administrator(), user.id, role).await?))
        }
        UserCommand::List => list(global).await,
    }
}

async fn create(global: &Global, new: Create) -> Result<Reply, Failure> {
    let app = shop::open(global).await?;
    let password = if new.password_stdin { input::line()? } else { input::new_password()? };
    Ok(told(&app.auth.register(&new.email, &password, &new.name, new.role).await?))
}

async fn list(global: &Global) -> Result<Reply, Failure> {
    let app = shop::open_existing(global).await?;
    let by = shop::administrator();
    let mut users: Vec<User> = Vec::new();
    loop {
        let page = app.auth.users(&by, Page { after: users.last().map(|user| user.id), limit: 500 }).await?;
        if page.is_empty() {
            break;
        }
        users.extend(page);
    }
    let mut table = Table::new(["ID", "ROLE", "E-MAIL", "NAME"]);
    for user in &users {
        table.row([user.id.to_string(), user.role.to_string(), user.email.to_string(), user.name.clone()]);
    }
    Ok(Reply::new(table.or_none("accounts"), json!({ "items": users.iter().map(in_json).collect::<Vec<_>>() })))
}

fn told(user: &User) -> Reply {
    let people = facts([
        ("id", user.id.to_string()),
        ("e-mail", user.email.to_string()),
        ("name", user.name.clone()),
        ("role", user.role.to_string()),
    ]);
    Reply::new(people, in_json(user))
}

fn in_json(user: &User) -> Value {
    json!({
        "id": user.id,
        "email": user.email,
        "name": user.name,
        "role": user.role,
        "created_at": user.created_at,
    })
}
