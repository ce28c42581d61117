"""The tables that the pilots of tests/pilots/ read, drawn with a seed: the columns, holes and spellings are those of
well-known public tables, the rows are nobody's.

Input: a folder. Output: a CSV in it, named as the pilot asks for it.
"""

from pathlib import Path

import numpy as np
import pandas as pd

Generator = np.random.Generator


def _holes(rng: Generator, column: "pd.Series", share: float) -> "pd.Series":
    return column.mask(rng.random(len(column)) < share)


def _chance(rng: Generator, score: "np.ndarray | pd.Series") -> np.ndarray:
    """True as often as a logistic model of `score` says."""
    return rng.random(len(score)) < 1 / (1 + np.exp(-np.asarray(score, dtype=float)))


def churn(folder: Path) -> None:
    """Customers of a telephone company. `TotalCharges` is text, and blank for new customers."""
    rng, size = np.random.default_rng(11), 500
    tenure = rng.integers(0, 72, size)
    monthly = rng.normal(65, 25, size).clip(18, 120).round(2)
    contract = rng.choice(["Month-to-month", "One year", "Two year"], size, p=[0.55, 0.25, 0.2])
    total = pd.Series((tenure * monthly).round(2)).astype(str).mask(tenure == 0, " ")
    frame = pd.DataFrame(
        {
            "customerID": [f"{number:04d}-XKQZT" for number in rng.permutation(size)],
            "gender": rng.choice(["Female", "Male"], size),
            "SeniorCitizen": rng.integers(0, 2, size),
            "Partner": rng.choice(["Yes", "No"], size),
            "tenure": tenure,
            "Contract": contract,
            "PaymentMethod": rng.choice(["Electronic check", "Mailed check", "Bank transfer", "Credit card"], size),
            "MonthlyCharges": monthly,
            "TotalCharges": total,
        }
    )
    left = _chance(rng, -0.05 * tenure + 0.02 * monthly + 1.5 * (contract == "Month-to-month") - 1.2)
    frame.assign(Churn=np.where(left, "Yes", "No")).to_csv(folder / "Telco-Churn.csv", index=False)


def houses(folder: Path) -> None:
    """Houses with their price, holes in numbers and in categories."""
    rng, size = np.random.default_rng(12), 420
    area, quality = rng.normal(1500, 400, size).clip(500).round(), rng.integers(2, 11, size)
    year = rng.integers(1920, 2011, size)
    frame = pd.DataFrame(
        {
            "Id": range(1, size + 1),
            "MSZoning": rng.choice(["RL", "RM", "FV"], size, p=[0.7, 0.2, 0.1]),
            "LotFrontage": _holes(rng, pd.Series(rng.normal(70, 20, size).round()), 0.15),
            "Neighborhood": rng.choice(["NAmes", "CollgCr", "OldTown", "Edwards", "Somerst"], size),
            "OverallQual": quality,
            "YearBuilt": year,
            "GrLivArea": area,
            "GarageType": _holes(rng, pd.Series(rng.choice(["Attchd", "Detchd", "BuiltIn"], size)), 0.06),
        }
    )
    price = 30_000 + 70 * area + 14_000 * quality + 300 * (year - 1920) + rng.normal(0, 12_000, size)
    frame.assign(SalePrice=price.round(-2).astype(int)).to_csv(folder / "train.csv", index=False)


def loans(folder: Path) -> None:
    """Loan applications, with holes nearly everywhere and "3+" among the dependents."""
    rng, size = np.random.default_rng(13), 480
    history = _holes(rng, pd.Series(rng.choice([1.0, 0.0], size, p=[0.8, 0.2])), 0.08)
    income = rng.lognormal(8.4, 0.5, size).round().astype(int)
    term = rng.choice([360.0, 180.0, 480.0], size, p=[0.85, 0.1, 0.05])
    amount = pd.Series((income / 40 + rng.normal(20, 25, size)).clip(20).round())
    frame = pd.DataFrame(
        {
            "Loan_ID": [f"LP{number:06d}" for number in range(1000, 1000 + size)],
            "Gender": _holes(rng, pd.Series(rng.choice(["Male", "Female"], size, p=[0.8, 0.2])), 0.03),
            "Married": _holes(rng, pd.Series(rng.choice(["Yes", "No"], size)), 0.01),
            "Dependents": _holes(rng, pd.Series(rng.choice(["0", "1", "2", "3+"], size, p=[0.6, 0.2, 0.1, 0.1])), 0.03),
            "Education": rng.choice(["Graduate", "Not Graduate"], size),
            "Self_Employed": _holes(rng, pd.Series(rng.choice(["No", "Yes"], size, p=[0.85, 0.15])), 0.05),
            "ApplicantIncome": income,
            "CoapplicantIncome": np.where(rng.random(size) < 0.4, 0.0, rng.normal(2200, 900, size).clip(0).round()),
            "LoanAmount": _holes(rng, amount, 0.04),
            "Loan_Amount_Term": _holes(rng, pd.Series(term), 0.02),
            "Credit_History": history,
            "Property_Area": rng.choice(["Urban", "Rural", "Semiurban"], size),
        }
    )
    granted = _chance(rng, 3.2 * history.fillna(1) - 1.6 + 0.5 * (frame.Property_Area == "Semiurban"))
    frame.assign(Loan_Status=np.where(granted, "Y", "N")).to_csv(folder / "loan_train.csv", index=False)


def passengers(folder: Path) -> None:
    """Passengers of a ship: names with a title, cabins that are mostly unknown."""
    rng, size = np.random.default_rng(14), 450
    sex, pclass = rng.choice(["male", "female"], size, p=[0.64, 0.36]), rng.choice([1, 2, 3], size, p=[0.25, 0.2, 0.55])
    title = np.where(sex == "male", rng.choice(["Mr", "Master"], size, p=[0.9, 0.1]), rng.choice(["Mrs", "Miss"], size))
    family = [f"{name}, {word}. {other}" for name, word, other in zip(
        rng.choice(["Moran", "Hale", "Berg", "Cook", "Silva"], size), title,
        rng.choice(["John", "Anna", "Karl", "Ida"], size), strict=True)]  # fmt: skip
    frame = pd.DataFrame(
        {
            "PassengerId": range(1, size + 1),
            "Survived": _chance(rng, 1.6 * (sex == "female") - 0.9 * (pclass - 2) - 0.9).astype(int),
            "Pclass": pclass,
            "Name": family,
            "Sex": sex,
            "Age": _holes(rng, pd.Series(rng.normal(30, 13, size).clip(1).round()), 0.2),
            "SibSp": rng.choice([0, 1, 2, 3], size, p=[0.68, 0.22, 0.07, 0.03]),
            "Parch": rng.choice([0, 1, 2], size, p=[0.76, 0.14, 0.1]),
            "Fare": (rng.lognormal(2.9, 0.8, size) * (4 - pclass)).round(4),
            "Cabin": _holes(rng, pd.Series(rng.choice(["C85", "E46", "B28", "D56"], size)), 0.77),
            "Embarked": _holes(rng, pd.Series(rng.choice(["S", "C", "Q"], size, p=[0.7, 0.2, 0.1])), 0.01),
        }
    )
    frame.to_csv(folder / "titanic.csv", index=False)


def hearts(folder: Path) -> None:
    """Patients with and without a disease of the heart: numbers only, seven rows twice."""
    rng, size = np.random.default_rng(15), 300
    age, cp = rng.integers(29, 78, size), rng.integers(0, 4, size)
    thalach = rng.normal(150, 22, size).round().astype(int)
    oldpeak = rng.exponential(1.0, size).round(1)
    frame = pd.DataFrame(
        {
            "age": age,
            "sex": rng.integers(0, 2, size),
            "cp": cp,
            "trestbps": rng.normal(131, 17, size).round().astype(int),
            "chol": rng.normal(246, 50, size).round().astype(int),
            "fbs": rng.choice([0, 1], size, p=[0.85, 0.15]),
            "thalach": thalach,
            "exang": rng.integers(0, 2, size),
            "oldpeak": oldpeak,
            "thal": rng.choice([1, 2, 3], size, p=[0.06, 0.55, 0.39]),
        }
    )
    frame["target"] = _chance(rng, 0.8 * (cp - 1) + 0.03 * (thalach - 150) - 0.9 * (oldpeak - 1)).astype(int)
    pd.concat([frame, frame.head(7)]).to_csv(folder / "heart.csv", index=False)


def penguins(folder: Path) -> None:
    """Three kinds of penguins, measured, with holes."""
    rng, parts = np.random.default_rng(16), []
    for kind, size, bill, depth, flipper, mass in (
        ("Adelie", 150, 38.8, 18.3, 190, 3700),
        ("Chinstrap", 70, 48.8, 18.4, 196, 3730),
        ("Gentoo", 120, 47.5, 15, 217, 5080),
    ):
        parts.append(
            pd.DataFrame(
                {
                    "species": kind,
                    "island": rng.choice(["Biscoe", "Dream", "Torgersen"], size),
                    "bill_length_mm": rng.normal(bill, 2.8, size).round(1),
                    "bill_depth_mm": rng.normal(depth, 1.1, size).round(1),
                    "flipper_length_mm": rng.normal(flipper, 6.5, size).round(),
                    "body_mass_g": rng.normal(mass, 420, size).round(-1),
                    "sex": rng.choice(["MALE", "FEMALE"], size),
                }
            )
        )
    frame = pd.concat(parts, ignore_index=True)
    lost = rng.choice(len(frame), 6, replace=False)
    frame.loc[lost, ["bill_length_mm", "body_mass_g", "sex"]] = np.nan
    frame.to_csv(folder / "penguins.csv", index=False)


def insurance(folder: Path) -> None:
    """What treatment cost, and for whom. One row stands twice."""
    rng, size = np.random.default_rng(17), 460
    age, bmi = rng.integers(18, 65, size), rng.normal(30.5, 6, size).round(2)
    smoker = rng.choice(["yes", "no"], size, p=[0.2, 0.8])
    cost = 250 * age + 320 * (bmi - 25) + 23_000 * (smoker == "yes") + rng.normal(0, 3000, size)
    frame = pd.DataFrame(
        {
            "age": age,
            "sex": rng.choice(["female", "male"], size),
            "bmi": bmi,
            "children": rng.integers(0, 5, size),
            "smoker": smoker,
            "region": rng.choice(["southwest", "southeast", "northwest", "northeast"], size),
            "charges": cost.clip(1100).round(4),
        }
    )
    pd.concat([frame, frame.iloc[[195]]]).to_csv(folder / "insurance.csv", index=False)


def diamonds(folder: Path) -> None:
    """Diamonds with a price, the column of their row numbers, and three of no height."""
    rng, size = np.random.default_rng(18), 500
    carat = rng.gamma(2.2, 0.36, size).clip(0.2).round(2)
    cut = rng.choice(["Fair", "Good", "Very Good", "Premium", "Ideal"], size)
    side = (carat ** (1 / 3) * 6.5 + rng.normal(0, 0.05, size)).round(2)
    price = np.exp(1.7 * np.log(carat) + 8.4 + 0.1 * (cut == "Ideal") + rng.normal(0, 0.1, size))
    frame = pd.DataFrame(
        {
            "carat": carat,
            "cut": cut,
            "color": rng.choice(list("DEFGHIJ"), size),
            "clarity": rng.choice(["SI1", "SI2", "VS1", "VS2", "VVS1", "IF"], size),
            "depth": rng.normal(61.7, 1.4, size).round(1),
            "table": rng.normal(57.4, 2.2, size).round(),
            "price": price.round().astype(int),
            "x": side,
            "y": (side + rng.normal(0, 0.03, size)).round(2),
            "z": (side * 0.62).round(2),
        }
    )
    frame.loc[[17, 101, 333], "z"] = 0.0
    frame.to_csv(folder / "diamonds.csv")


_HAM = (
    "ok lar see you at {n} then", "are you coming home for dinner tonight", "I will call you later, in a meeting now",
    "can you pick up some milk on the way", "happy birthday! hope you have a great day", "sorry, I missed your call :)",
    "did you finish the homework for class {n}", "the bus is late again, be there in {n} min",
    "lol that was so funny", "good night, sleep well dear",
)  # fmt: skip
_SPAM = (
    "WINNER!! You have won a £{n} prize, call 0900{n} now to claim", "FREE entry in {n} a weekly competition, text WIN",
    "URGENT! your mobile number was awarded {n} pounds", "Claim your free ringtone now, reply YES to {n}",
    "Cheap loans up to {n}, no credit check, visit http://loan{n}.example", "Congratulations! you won a {n} voucher",
)  # fmt: skip


def messages(folder: Path) -> None:
    """Short messages, some of them spam, in the encoding of old spreadsheets and with empty columns behind."""
    rng, size = np.random.default_rng(19), 400
    spam = rng.random(size) < 0.3
    text = []
    for place in range(size):
        forms, number = (_SPAM if spam[place] else _HAM), int(rng.integers(100, 999))
        text.append(" ".join(str(rng.choice(forms)).format(n=number) for _ in range(int(rng.integers(1, 3)))))
    frame = pd.DataFrame({"v1": np.where(spam, "spam", "ham"), "v2": text})
    frame["Unnamed: 2"] = np.nan
    frame.to_csv(folder / "spam.csv", index=False, encoding="latin-1")


def bikes(folder: Path) -> None:
    """Bicycles that were rented, hour by hour."""
    rng, size = np.random.default_rng(20), 600
    moment = pd.Series(pd.date_range("2011-01-01", periods=size, freq="7h"))
    temp, humidity = rng.normal(20, 8, size).round(2), rng.integers(20, 100, size)
    busy = moment.dt.hour.isin([7, 8, 9, 16, 17, 18, 19]).to_numpy()
    count = (60 + 6 * temp - 0.8 * humidity + 120 * busy + rng.normal(0, 20, size)).clip(1).round().astype(int)
    frame = pd.DataFrame(
        {
            "datetime": moment.dt.strftime("%Y-%m-%d %H:%M:%S"),
            "season": moment.dt.quarter,
            "holiday": rng.choice([0, 1], size, p=[0.97, 0.03]),
            "weather": rng.choice([1, 2, 3], size, p=[0.65, 0.27, 0.08]),
            "temp": temp,
            "humidity": humidity,
            "windspeed": (rng.exponential(12, size) * (rng.random(size) > 0.1)).round(4),
            "count": count,
        }
    )
    frame.to_csv(folder / "bike_train.csv", index=False)


def admissions(folder: Path) -> None:
    """Applicants of a university. The last column's name ends in a blank."""
    rng, size = np.random.default_rng(21), 350
    gre = rng.normal(316, 11, size).round().clip(290, 340).astype(int)
    cgpa = rng.normal(8.57, 0.6, size).clip(6.8, 9.92).round(2)
    frame = pd.DataFrame(
        {
            "Serial No.": range(1, size + 1),
            "GRE Score": gre,
            "TOEFL Score": rng.normal(107, 6, size).round().astype(int),
            "University Rating": rng.integers(1, 6, size),
            "SOP": rng.integers(2, 11, size) / 2,
            "CGPA": cgpa,
            "Research": rng.integers(0, 2, size),
        }
    )
    chance = 0.72 + 0.004 * (gre - 316) + 0.12 * (cgpa - 8.57) + rng.normal(0, 0.04, size)
    frame["Chance of Admit "] = chance.clip(0.3, 0.97).round(2)
    frame.to_csv(folder / "Admission_Predict.csv", index=False)


def staff(folder: Path) -> None:
    """Employees, and who left."""
    rng, size = np.random.default_rng(22), 520
    satisfaction, hours = rng.beta(3, 2, size).round(2), rng.integers(96, 310, size)
    frame = pd.DataFrame(
        {
            "satisfaction_level": satisfaction,
            "last_evaluation": rng.uniform(0.36, 1, size).round(2),
            "number_project": rng.integers(2, 8, size),
            "average_montly_hours": hours,
            "time_spend_company": rng.integers(2, 11, size),
            "Work_accident": rng.choice([0, 1], size, p=[0.86, 0.14]),
            "left": _chance(rng, -5 * (satisfaction - 0.45) + 0.01 * (hours - 210) - 1).astype(int),
            "Department": rng.choice(["sales", "technical", "support", "IT", "hr"], size),
            "salary": rng.choice(["low", "medium", "high"], size, p=[0.49, 0.43, 0.08]),
        }
    )
    frame.to_csv(folder / "HR_comma_sep.csv", index=False)


def payments(folder: Path) -> None:
    """Card payments; one in twelve is fraud."""
    rng, size = np.random.default_rng(23), 700
    fraud = rng.random(size) < 1 / 12
    frame = pd.DataFrame({"Time": np.sort(rng.integers(0, 172_000, size))})
    for number in range(1, 7):
        frame[f"V{number}"] = (rng.normal(0, 1.4, size) - (number % 3) * 1.3 * fraud).round(6)
    frame["Amount"] = rng.lognormal(3.2, 1.2, size).round(2)
    frame.assign(Class=fraud.astype(int)).to_csv(folder / "creditcard.csv", index=False)


def cars(folder: Path) -> None:
    """Used cars with their price: numbers with their unit behind, as a web page shows them."""
    rng, size = np.random.default_rng(24), 430
    year, engine = rng.integers(2004, 2021, size), rng.choice([796, 998, 1197, 1248, 1498, 1968], size)
    price = 40_000 * (year - 2000) + 250 * engine + rng.normal(0, 60_000, size)
    names = ["Maruti Swift VDI", "Hyundai i20 Sportz", "Honda City ZX", "Tata Indigo CR4", "Ford Figo"]
    mileage = pd.Series(rng.normal(19.5, 3.8, size).round(2)).astype(str) + " kmpl"
    frame = pd.DataFrame(
        {
            "name": rng.choice(names, size),
            "year": year,
            "selling_price": price.clip(30_000).round(-3).astype(int),
            "km_driven": rng.lognormal(11, 0.5, size).round(-2).astype(int),
            "fuel": rng.choice(["Diesel", "Petrol", "CNG"], size, p=[0.53, 0.42, 0.05]),
            "seller_type": rng.choice(["Individual", "Dealer"], size),
            "transmission": rng.choice(["Manual", "Automatic"], size, p=[0.85, 0.15]),
            "owner": rng.choice(["First Owner", "Second Owner", "Third Owner"], size, p=[0.66, 0.26, 0.08]),
            "mileage": _holes(rng, mileage, 0.03),
            "engine": [f"{size} CC" for size in engine],
        }
    )
    frame.to_csv(folder / "car_details.csv", index=False)


def matches(folder: Path) -> None:
    """Matches of football: what is known before, and the goals."""
    rng, size = np.random.default_rng(25), 480
    home, away = rng.integers(1, 21, size), rng.integers(1, 21, size)
    ground = rng.choice(["grass", "artificial"], size, p=[0.8, 0.2])
    frame = pd.DataFrame(
        {
            "Date": pd.Series(pd.date_range("2021-08-01", periods=size, freq="15h")).dt.strftime("%Y-%m-%d"),
            "HomeRank": home,
            "AwayRank": away,
            "Ground": ground,
            "Referee": _holes(rng, pd.Series(rng.choice(["Adams", "Berg", "Conti"], size)), 0.1),
            "FTHG": rng.poisson(np.exp(0.5 + 0.05 * (away - home))),
            "FTAG": rng.poisson(np.exp(0.2 + 0.05 * (home - away))),
            "Attendance": rng.integers(2_000, 60_000, size),
        }
    )
    frame.to_csv(folder / "matches.csv", index=False)


def students(folder: Path) -> None:
    """Students, and their scores in three exams."""
    rng, size = np.random.default_rng(26), 420
    lunch, course = rng.choice(["standard", "reduced"], size, p=[0.65, 0.35]), rng.choice(["none", "completed"], size)
    talent = 66 + 9 * (lunch == "standard") + 7 * (course == "completed") + rng.normal(0, 6, size)
    frame = pd.DataFrame(
        {
            "gender": rng.choice(["female", "male"], size),
            "parental level of education": rng.choice(["high school", "college", "master"], size),
            "lunch": lunch,
            "test preparation course": course,
        }
    )
    for exam in ("math", "reading", "writing"):
        frame[f"{exam} score"] = (talent + rng.normal(0, 5, size)).round().clip(0, 100).astype(int)
    frame.to_csv(folder / "StudentsPerformance.csv", index=False)
